-- The queues in which steps wait, or from which nodes have taken some, and those that live nodes (heard of within their lease) serve by name. No locks.
with load as (
    select queue, count(*) filter (where worker is null)::integer as waiting,
           count(*) filter (where worker is not null)::integer as running,
           min(available_at) filter (where worker is null) as oldest
    from {schema}.tasks group by queue
), server as (
    select fence, name, queues from {schema}.nodes
    where status = 'alive' and 'worker' = any(roles) and seen_at > {schema}.now() - make_interval(secs => lease)
), known as (
    select queue from load
    union
    select queue from server cross join lateral unnest(server.queues) as named (queue) where queue <> '*'
)
select known.queue, coalesce(load.waiting, 0) as waiting, coalesce(load.running, 0) as running, load.oldest,
       array(select name from server where queues && array[known.queue, '*'] order by fence) as served_by
from known left join load on load.queue = known.queue
order by known.queue
