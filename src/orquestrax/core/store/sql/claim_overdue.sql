-- Takes instances without an owner that are out of time and that no code will look after: they never started, are
-- blocked, or no live node serves their definition any more. Any engine node may end them. Begins with what is out of
-- time, by its own small index, however many instances there are. Locks the claimed rows, skips locked ones.
with late as (
    select key, status, lost_owner, started_at
    from {schema}.instances as i
    where i.deadline is not null and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
      and i.deadline <= {schema}.now() and i.owner is null and i.status <> 'paused'
      and (i.started_at is null or i.status = 'blocked' or not exists (
          select from {schema}.nodes as n where n.status = 'alive' and i.definition = any(n.definitions)))
    order by i.deadline
    limit $2::integer
    for update skip locked
)
update {schema}.instances as i
set owner = $1, node = $1, wake_at = null
from late
where i.key = late.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key, i.id, i.definition, i.version, i.status, i.started_at, i.mail,
          i.input::text, i.created_at, i.deadline, i.suspicion, late.lost_owner, late.started_at is null as never_started,
          late.status = 'blocked' as blocked
