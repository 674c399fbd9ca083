-- Instances that other code of this definition could not continue: fitting code may be here now. Locks them in key
-- order.
with stuck as materialized (
    select key from {schema}.instances
    where status = 'blocked' and definition = $1 and blocked_by <> $2 and owner is null
    order by key for no key update
)
update {schema}.instances as i
set wake_at = {schema}.now(), lane = case when i.suspicion > 1 then 2 else 0 end
from stuck
where i.key = stuck.key
