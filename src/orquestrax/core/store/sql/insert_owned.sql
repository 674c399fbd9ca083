-- Local-first starts: inserted as mine and running. An id that exists is left alone and not returned.
insert into {schema}.instances
    (key, id, definition, version, status, owner, node, started_on, priority, created_at, started_at, created_by, input, digest)
select key, id, definition, version, 'running', $1, $1, $1, priority, started_at, started_at, created_by, input, digest
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::timestamptz[], $8::text[], $9::json[], $10::bytea[])
    as start (key, id, definition, version, priority, started_at, created_by, input, digest)
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
order by id
on conflict (id) do nothing
returning key
