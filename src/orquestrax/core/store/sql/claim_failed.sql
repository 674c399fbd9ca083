-- Takes steps that will not run, whatever their queue: at-most-once ones that were lost with their worker, and those that
-- nobody has taken in time. Their workflows are told. Each kind has an index of its own. Locks what it takes, and skips
-- what another claim has locked.
with lost as (
    select instance, command from {schema}.tasks where worker is null and lost is not null
    limit $2::integer for no key update skip locked
), late as (
    select instance, command from {schema}.tasks
    where worker is null and expires_at is not null and lost is null and expires_at <= {schema}.now()
    order by expires_at limit $2::integer for no key update skip locked
), found as (
    select instance, command, false as late from lost union all select instance, command, true from late
)
update {schema}.tasks as t
set worker = $1
from found
join {schema}.instances as i on i.key = found.instance
where t.instance = found.instance and t.command = found.command
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning t.instance, t.command, t.attempt, t.step, t.queue, t.executor, t.options::text, t.input::text, t.asked_at, t.first_at,
          t.started_at, i.id as instance_id, i.definition, i.owner,
          coalesce((select name from {schema}.nodes where fence = t.lost), t.lost::text) as lost,
          case when found.late then t.expiry::text end as expiry,
          null::integer as spoke, null::text as heartbeat, t.suspicion
