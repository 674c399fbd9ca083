-- Runs after the worker $1 has been set dead, or stops. What it had taken waits again, first of all; an at-most-once
-- step that it may have begun is marked as lost with it. Rows are locked in key order, as ends of instances do.
-- With $2 the death counts, as it does for instances (free_instances): who has lived for 60 s begins anew; from two on a
-- step is a suspect that runs alone, in lane 2, and the only suspect is lost for good at the third: $3 are the instances
-- that are suspects, of which its own does not count. That one ran nothing else that was to blame, or it will be seen next.
-- What belongs to a paused instance waits for its resume. What was lost before runs no more: this node was only about to tell of it.
with held as materialized (
    select instance, command, suspicion, started_at, lost is not null as told from {schema}.tasks
    where worker = $1 order by instance, command for no key update
), judged as materialized (
    select instance, command, told, case when told then suspicion else $2::boolean::integer + case
               when suspicion > 0 and started_at > {schema}.now() - interval '60 s' then least(suspicion, 99) else 0
           end end as suspicion
    from held
), verdict as (
    select judged.*, $2::boolean and suspicion > 2 and not told
           and (select count(*) from judged where suspicion > 1 and not told)
               + (select count(*) from unnest($3::uuid[]) as suspect (key) where suspect.key <> judged.instance) = 1
               as convicted
    from judged
)
update {schema}.tasks as t
set worker = null, suspicion = verdict.suspicion,
    available_at = case when (select i.status from {schema}.instances as i where i.key = t.instance) = 'paused'
        then 'infinity' else {schema}.now() end,
    lane = case when verdict.suspicion > 1 then 2 else 0 end,
    lost_worker = case when (select n.status from {schema}.nodes as n where n.fence = $1) = 'dead' then $1 end,
    suspect_of = case when $2::boolean and not verdict.told then $1 else t.suspect_of end,
    lost = case when t.lost is not null or t.once or convicted then coalesce(t.lost, $1) end,
    started_at = case when t.lost is not null or t.once or convicted then t.started_at end
from verdict
where t.instance = verdict.instance and t.command = verdict.command
