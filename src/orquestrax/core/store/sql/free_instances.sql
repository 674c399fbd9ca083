-- Runs after its owner has been set dead: everything it held is due at once, in lane 0. Rows are locked in key order,
-- as messages to several of them are.
-- With $2 the death counts: each row is under suspicion once more, or for the first time if it has made progress since
-- the last: an event of its own. (A park and an end leave the row, 60 s alive clear it.) From two on it is a suspect that
-- runs alone, in lane 2. A node that died with just one such suspect, and no other, convicts it: blocked, for the code
-- that the dead node ran.
with held as materialized (
    select key, definition, suspicion, lost_seq from {schema}.instances
    where owner = $1 order by key for no key update
), judged as materialized (
    select held.key, held.definition, last.seq,
           $2::boolean::integer + case when held.suspicion > 0 and not exists (
               select from {schema}.events as e
               where e.instance = held.key and e.seq > held.lost_seq and e.type <> 'taken_over')
               then least(held.suspicion, 99) else 0 end as suspicion
    from held cross join lateral (
        select coalesce(max(e.seq), 0) as seq from {schema}.events as e where e.instance = held.key) as last
), verdict as materialized (
    select judged.*, $2::boolean and suspicion > 2 and (
               (select count(*) from judged where suspicion > 1)
               + (select count(*) from {schema}.tasks
                  where worker = $1 and suspicion > 0 and lost is null and started_at > {schema}.now() - interval '60 s')) = 1 as convicted
    from judged
)
update {schema}.instances as i
set owner = null, lost_owner = $1,
    lane = case when verdict.suspicion > 1 then 2 else 0 end,
    wake_at = case when convicted then null else {schema}.now() end,
    suspicion = verdict.suspicion,
    lost_seq = verdict.seq,
    suspect_of = case when $2::boolean then $1 else i.suspect_of end,
    status = case when convicted then 'blocked' else i.status end,
    waits = case when convicted then null else i.waits end,
    blocked_by = case when convicted then coalesce(dead.code -> i.definition ->> 'digest', '') else i.blocked_by end,
    blocked = case when convicted then json_build_object(
        'message', format(
            '%s nodes in a row died while they ran it, and it made no progress in between. On the last one, %s, it was '
            'the only suspect. It goes on when a node serves other code for %s: mend that, or cancel the instance',
            verdict.suspicion, dead.name, i.definition),
        'recorded', '', 'asked', '') else i.blocked end
from verdict left join {schema}.nodes as dead on dead.fence = $1
where i.key = verdict.key
returning i.key, i.id, i.suspicion, convicted
