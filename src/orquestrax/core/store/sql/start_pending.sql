-- A start from anywhere: stored as pending for whichever node claims it. Idempotent on the id. The time limit is the
-- starter's ($9, in seconds), or the definition's if the starter does not have the code.
with added as (
    insert into {schema}.instances (key, id, definition, version, status, wake_at, priority, created_by, input, digest,
                                    deadline)
    values ($1, $2, $3, $4, 'pending', {schema}.now(), $5, $6, $7, $8, {schema}.now() + make_interval(secs => coalesce(
        $9::double precision, (select timeout from {schema}.definitions where name = $3 and version = $4))))
    on conflict (id) do nothing
    returning key
)
select key from added
