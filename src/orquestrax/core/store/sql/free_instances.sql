-- Runs after its owner has been set dead: everything it held is due at once, in lane 0. Rows are locked in key order,
-- as messages to several of them are.
-- With $2 the death counts, against each row of which something may have been running: it is under suspicion once more,
-- or for the first time if it has made progress since the last: an event of its own, not one that only says who has it and
-- what begins. (A park and an end leave the row, 60 s alive clear it.) From two on it is a suspect that runs alone, in
-- lane 2. A node that died with just one such suspect, and no other, convicts it: blocked, for the code that it ran.
-- A row is at rest, and the death not its own, if the dead node had rebuilt it (that it had is the first thing that
-- it writes), it had no mail and nothing due, and either its steps are all over, or it was tried: then `waits` says what it
-- waits for even while it runs, and each body that began has an event.
with held as materialized (
    select key, definition, status, waits, deadline, suspicion, lost_owner, lost_seq from {schema}.instances
    where owner = $1 order by key for no key update
), seen as materialized (
    select held.*, last.seq, held.suspicion > 0 and not exists (
               select from {schema}.events as e
               where e.instance = held.key and e.seq > held.lost_seq
                 and e.type not in ('taken_over', 'step_started', 'steps_queued')) as still
    from held cross join lateral (
        select coalesce(max(e.seq), 0) as seq from {schema}.events as e where e.instance = held.key) as last
), judged as materialized (
    select seen.*, $2::boolean and not coalesce(
               lost_owner is not null and seq > lost_seq and (deadline is null or deadline > {schema}.now())
               and not exists (select from {schema}.inbox where instance = seen.key)
               and case when still and suspicion > 1 and waits is not null
                   then not exists (
                       select from {schema}.events as e join {schema}.nodes as n on n.fence = $1 and n.name = e.data ->> 'node'
                       where e.instance = seen.key and e.seq > seen.lost_seq and e.type = 'step_started')
                   else status = 'waiting' and waits is not null and not exists (
                       select from json_array_elements(waits) as wait where wait ->> 'kind' = 'step') end
               and not exists (
                   select from json_array_elements(waits) as wait
                   where (wait ->> 'until')::bigint <= extract(epoch from {schema}.now()) * 1000000), false) as accused
    from seen
), counted as materialized (
    select judged.*, accused::integer + case when still then least(suspicion, 99) else 0 end as deaths from judged
), verdict as materialized (
    select counted.*, accused and deaths > 2 and (
               (select count(*) from counted where accused and deaths > 1)
               + (select count(*) from {schema}.tasks
                  where worker = $1 and suspicion > 0 and lost is null and started_at > {schema}.now() - interval '60 s')) = 1 as convicted
    from counted
)
update {schema}.instances as i
set owner = null, lost_owner = $1,
    lane = case when verdict.deaths > 1 then 2 else 0 end,
    wake_at = case when convicted then null else {schema}.now() end,
    suspicion = verdict.deaths,
    lost_seq = verdict.seq,
    suspect_of = case when accused then $1 else i.suspect_of end,
    status = case when convicted then 'blocked' else i.status end,
    waits = case when convicted or i.status = 'running' then null else i.waits end,
    blocked_by = case when convicted then coalesce(dead.code -> i.definition ->> 'digest', '') else i.blocked_by end,
    blocked = case when convicted then json_build_object(
        'message', format(
            '%s nodes in a row died while they ran it, and it made no progress in between. On the last one, %s, it was '
            'the only suspect. It goes on when a node serves other code for %s: mend that, or cancel the instance',
            verdict.deaths, dead.name, i.definition),
        'recorded', '', 'asked', '') else i.blocked end
from verdict left join {schema}.nodes as dead on dead.fence = $1
where i.key = verdict.key
returning i.key, i.id, verdict.accused and verdict.deaths > 1 as suspect, convicted
