-- The keys of a page of instances whose id begins with $1, or, among the newest 10,000, holds it in any case; newest
-- first. $2 statuses, $3 definition, $4 key to go on behind, $5 how many; null leaves a filter out.
-- A beginning that few ids have is found by their index. One that many have is found while going back through the keys:
-- the index would give them in no order of time. Neither reads more than some ten thousand rows, but where a frequent
-- beginning is all in the past.
with few as materialized (
    select key, definition, status from {schema}.instances where id ^@ $1 limit 10000
), recent as (
    select key, id, definition, status from {schema}.instances order by key desc limit 10000
)
select key
from (
    select key, definition, status from few
    union
    select key, definition, status from recent where strpos(lower(id), lower($1)) > 0
    union
    select key, definition, status
    from (
        select i.key, i.definition, i.status
        from {schema}.instances as i
        where i.id ^@ $1
          and ($2::text[] is null or i.status = any($2))
          and ($3::text is null or i.definition = $3)
          and ($4::uuid is null or i.key < $4)
        order by i.key desc
        limit $5
    ) as many
    where (select count(*) from few) = 10000
) as found
where ($2::text[] is null or status = any($2))
  and ($3::text is null or definition = $3)
  and ($4::uuid is null or key < $4)
order by key desc
limit $5
