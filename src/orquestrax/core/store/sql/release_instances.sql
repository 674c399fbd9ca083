-- A clean stop: everything it held is due at once, in lane 0. No suspicion: nothing was lost. Rows are locked in key
-- order, as messages to several of them are.
with held as materialized (
    select key from {schema}.instances where owner = $1 order by key for no key update
)
update {schema}.instances as i
set owner = null, lane = 0, wake_at = {schema}.now(), suspicion = 0,
    lost_owner = null
from held
where i.key = held.key
returning i.key
