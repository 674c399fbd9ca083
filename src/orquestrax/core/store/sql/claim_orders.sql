-- Takes instances without an owner that are to be terminated, or cancelled before they ever ran or while blocked:
-- these run no code, so any engine node may do it, whatever the definition.
with ordered as (
    select i.key, i.status, i.lost_owner, i.started_at
    from {schema}.instances as i
    where i.owner is null
      and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
      and i.key in (
          select x.instance from {schema}.inbox as x
          where x.kind in ('cancel', 'terminate')
            and (x.kind = 'terminate' or i.started_at is null or i.status = 'blocked'))
    limit $2::integer
    for update skip locked
)
update {schema}.instances as i
set owner = $1, node = $1, wake_at = null, lost_owner = null
from ordered
where i.key = ordered.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key, i.id, i.definition, i.version, i.status, coalesce(i.started_at, {schema}.now()) as started_at, i.mail, i.input::text,
          ordered.lost_owner, ordered.started_at is null as never_started, ordered.status = 'blocked' as blocked
