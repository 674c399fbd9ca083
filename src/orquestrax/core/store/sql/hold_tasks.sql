-- The steps in the queues of instances that are paused now ($3), or resumed: nobody takes them, or they are due at once.
-- Their instances' rows are locked already; locks those of the steps, in key order.
with held as materialized (
    select t.instance, t.command, change.paused
    from unnest($2::uuid[], $3::boolean[]) as change (key, paused)
    join {schema}.tasks as t on t.instance = change.key
    where t.worker is null and t.lost is null
    order by t.instance, t.command for no key update of t
)
update {schema}.tasks as t
set available_at = case when held.paused then 'infinity' else {schema}.now() end
from held
where t.instance = held.instance and t.command = held.command
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
