-- Takes steps that wait, by lane, priority and time. $2, $3: free places by executor; $4 the steps that are known
-- here, $5 the queues that are served here (null: all); $6, $7: free places of the queues that have a limit here.
-- Goes from one waiting (queue, executor, step) to the next by one probe of the index each, and reads tasks only of
-- those that this node can run, so that no other backlog costs it anything. Locks what it takes, and skips what
-- another claim has locked. Of lane 2, which has those that may have ended the nodes that ran them, one at a time, with
-- no other suspect beside it: among the steps here, or the instances ($8), of which its own does not count.
with recursive kind as (
    (
        select queue, executor, step from {schema}.tasks where worker is null and lost is null
        order by queue, executor, step limit 1
    )
    union all
    select further.queue, further.executor, further.step
    from kind cross join lateral (
        select t.queue, t.executor, t.step from {schema}.tasks as t
        where t.worker is null and t.lost is null
          and (t.queue, t.executor, t.step) > (kind.queue, kind.executor, kind.step)
        order by t.queue, t.executor, t.step limit 1
    ) as further
), wanted as (
    select kind.queue, kind.executor, kind.step, room.free, coalesce(narrow.free, room.free) as allowed
    from kind
    join unnest($2::text[], $3::integer[]) as room (executor, free) on room.executor = kind.executor
    left join unnest($6::text[], $7::integer[]) as narrow (queue, free) on narrow.queue = kind.queue
    where kind.step = any($4::text[]) and ($5::text[] is null or kind.queue = any($5::text[]))
), found as (
    select due.*, wanted.free, wanted.allowed
    from wanted cross join lateral (
        select t.instance, t.command, t.queue, t.executor, t.lane, t.priority, t.available_at, t.suspicion
        from {schema}.tasks as t
        where t.worker is null and t.lost is null and t.queue = wanted.queue and t.executor = wanted.executor
          and t.step = wanted.step and t.available_at <= {schema}.now()
        order by t.lane, t.priority, t.available_at
        limit least(wanted.free, wanted.allowed)
        for no key update skip locked
    ) as due
), ranked as (
    select found.*, row_number() over (partition by executor order by lane, priority, available_at) as place,
           row_number() over (partition by lane = 2 order by priority, available_at) as of_lane
    from (
        select found.*, row_number() over (partition by queue order by lane, priority, available_at) as of_queue
        from found
    ) as found
    where of_queue <= allowed
)
update {schema}.tasks as t
set worker = $1, started_at = {schema}.now()
from ranked
join {schema}.instances as i on i.key = ranked.instance
left join {schema}.progress as p on p.instance = ranked.instance and p.command = ranked.command
where t.instance = ranked.instance and t.command = ranked.command and ranked.place <= ranked.free
  and (ranked.lane < 2 or (ranked.of_lane = 1 and not exists (
      select from unnest($8::uuid[]) as suspect (key) where suspect.key <> ranked.instance) and not exists (
      select from ranked as beside where beside.lane < 2 and beside.suspicion > 0 and beside.place <= beside.free) and not exists (
      select from {schema}.tasks as held
      where held.worker = $1 and held.suspicion > 0 and held.lost is null and held.started_at > {schema}.now() - interval '60 s')))
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning t.instance, t.command, t.attempt, t.step, t.queue, t.executor, t.options::text, t.input::text, t.asked_at, t.first_at,
          t.started_at, i.id as instance_id, i.definition, i.owner, null::text as lost, null::text as expiry,
          p.node as spoke, p.details::text as heartbeat, t.suspicion
