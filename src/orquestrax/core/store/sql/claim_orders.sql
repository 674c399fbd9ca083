-- Takes instances without an owner that are to be terminated, cancelled before they ever ran or while blocked, paused
-- or resumed: these run no code, so any engine node may do it, whatever the definition. Begins with the few orders in the inbox
-- and looks up each row by its key, however many instances there are. Locks the claimed rows, skips locked ones.
with ordered as (
    select instance, bool_or(kind = 'terminate') as terminates, bool_or(kind = 'cancel') as cancels,
           bool_or(kind in ('pause', 'resume')) as steers
    from {schema}.inbox
    where kind in ('cancel', 'terminate', 'pause', 'resume')
    group by instance
), found as (
    select held.key, held.status, held.lost_owner, held.started_at,
           not ordered.terminates and (not ordered.cancels or held.started_at is not null) and held.status <> 'blocked'
               as steered
    from ordered
    cross join lateral (
        select i.key, i.status, i.lost_owner, i.started_at
        from {schema}.instances as i
        where i.key = ordered.instance and i.owner is null
          and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
          and (ordered.terminates
               or (ordered.cancels and (i.started_at is null or i.status = 'blocked'))
               or (ordered.steers and i.status <> 'blocked' and i.lost_owner is null))
        for update skip locked
    ) as held
    limit $2::integer
)
update {schema}.instances as i
set owner = $1, node = $1, wake_at = null
from found
where i.key = found.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key, i.id, i.definition, i.version, i.status, i.started_at, i.mail,
          i.input::text, i.created_at, i.deadline, i.suspicion, found.lost_owner, found.started_at is null as never_started, found.status = 'blocked' as blocked,
          found.steered
