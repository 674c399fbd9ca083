-- A node that was declared dead lives after all: what it held was not the cause. Takes back the suspicion of its death,
-- and a conviction with it. Locks the rows in key order.
with accused as materialized (
    select key from {schema}.instances where suspect_of = $1 and suspicion > 0 order by key for no key update
)
update {schema}.instances as i
set suspicion = i.suspicion - 1, suspect_of = null,
    lane = case when i.lane = 2 and i.suspicion <= 2 then 0 else i.lane end,
    wake_at = case when i.status = 'blocked' and i.owner is null and i.suspicion > 2 then {schema}.now() else i.wake_at end,
    blocked_by = case when i.status = 'blocked' and i.owner is null and i.suspicion > 2 then null else i.blocked_by end
from accused
where i.key = accused.key
returning i.key
