-- Takes instances without an owner that are to be terminated, or cancelled before they ever ran or while blocked:
-- these run no code, so any engine node may do it, whatever the definition. Begins with the few orders in the inbox
-- and looks up each row by its key, however many instances there are. Locks the claimed rows, skips locked ones.
with ordered as (
    select instance, bool_or(kind = 'terminate') as terminates
    from {schema}.inbox
    where kind in ('cancel', 'terminate')
    group by instance
), found as (
    select held.key, held.status, held.lost_owner, held.started_at
    from ordered
    cross join lateral (
        select i.key, i.status, i.lost_owner, i.started_at
        from {schema}.instances as i
        where i.key = ordered.instance and i.owner is null
          and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
          and (ordered.terminates or i.started_at is null or i.status = 'blocked')
        for update skip locked
    ) as held
    limit $2::integer
)
update {schema}.instances as i
set owner = $1, node = $1, wake_at = null
from found
where i.key = found.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key, i.id, i.definition, i.version, i.status, coalesce(i.started_at, {schema}.now()) as started_at, i.mail,
          i.input::text, i.created_at, i.deadline, i.suspicion, found.lost_owner, found.started_at is null as never_started, found.status = 'blocked' as blocked
