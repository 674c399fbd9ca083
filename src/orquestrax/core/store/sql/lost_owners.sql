-- Owners that are not alive and still hold something: none, as a declaration and a stop free everything. One look into
-- the index for each distinct owner, however many rows it has.
with recursive owners (fence) as (
    (select owner from {schema}.instances where owner is not null order by owner limit 1)
    union all
    select (select i.owner from {schema}.instances as i where i.owner > owners.fence order by i.owner limit 1)
    from owners where owners.fence is not null
), workers (fence) as (
    (select worker from {schema}.tasks where worker is not null order by worker limit 1)
    union all
    select (select t.worker from {schema}.tasks as t where t.worker > workers.fence order by t.worker limit 1)
    from workers where workers.fence is not null
)
select fence from (select fence from owners union select fence from workers) as holder
where fence is not null
  and not exists (select from {schema}.nodes as n where n.fence = holder.fence and n.status = 'alive')
order by fence
