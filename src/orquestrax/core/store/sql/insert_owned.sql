-- Local-first starts: inserted as mine and running. An id that exists is left alone and not returned.
insert into {schema}.instances
    (key, id, definition, version, status, owner, node, started_on, priority, created_at, started_at, created_by, input, digest)
select key, id, definition, version, 'running', $1, $1, $1, priority, at, at, created_by, input::json, digest
from unnest($2::text::uuid[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::smallint[], $7::text::bigint[],
            $8::text::text[], string_to_array($9, chr(30), ''), $10::text::bytea[])
    as start (key, id, definition, version, priority, started_at, created_by, input, digest)
cross join lateral (select timestamptz 'epoch' + started_at * interval '1 microsecond' as at) as moment
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
order by id
on conflict (id) do nothing
returning key
