-- Starts from anywhere: stored as pending for whichever nodes claim them, each one idempotent on its id; an id that
-- exists is left alone and not returned. They are due in the order in which they were given. The time limit is the
-- starter's ($9, in seconds), or the definition's if the starter does not have the code. Locks only the new rows, in
-- the order of their ids, as the journal does.
with moment as materialized (
    select {schema}.now() as now
), start as (
    select new.*, moment.now - make_interval(secs => (cardinality($1::uuid[]) - new.place) / 1e6) as at
    from moment
    cross join unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::json[], $8::bytea[],
                      $9::double precision[])
        with ordinality as new (key, id, definition, version, priority, created_by, input, digest, timeout, place)
)
insert into {schema}.instances
    (key, id, definition, version, status, wake_at, created_at, priority, created_by, input, digest, deadline)
select start.key, start.id, start.definition, start.version, 'pending', start.at, start.at, start.priority,
       start.created_by, start.input, start.digest,
       start.at + make_interval(secs => coalesce(start.timeout, declared.timeout))
from start left join {schema}.definitions as declared
    on declared.name = start.definition and declared.version = start.version
order by start.id, start.place
on conflict (id) do nothing
returning key
