-- A start from anywhere: stored as pending for whichever node claims it. Idempotent on the id.
with added as (
    insert into {schema}.instances (key, id, definition, version, status, wake_at, priority, created_by, input, digest)
    values ($1, $2, $3, $4, 'pending', {schema}.now(), $5, $6, $7, $8)
    on conflict (id) do nothing
    returning key
)
select key from added
