-- Takes at-most-once steps that were lost with their worker, whatever their queue: they are not run, their workflow
-- is told. Locks what it takes, and skips what another claim has locked.
with found as (
    select instance, command from {schema}.tasks where worker is null and lost is not null
    limit $2 for no key update skip locked
)
update {schema}.tasks as t
set worker = $1
from found
join {schema}.instances as i on i.key = found.instance
where t.instance = found.instance and t.command = found.command
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning t.instance, t.command, t.attempt, t.step, t.queue, t.options::text, t.input::text, t.asked_at, t.first_at,
          t.started_at, i.id as instance_id, i.definition, i.owner,
          coalesce((select name from {schema}.nodes where fence = t.lost), t.lost::text) as lost,
          null::integer as spoke, null::text as heartbeat
