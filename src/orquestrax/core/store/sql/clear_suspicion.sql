-- Suspects that have lived here for a while are none. Locks the rows in key order.
with held as materialized (
    select key from {schema}.instances
    where key = any($2::uuid[]) and owner = $1 and suspicion > 0 order by key for no key update
)
update {schema}.instances as i
set suspicion = 0
from held
where i.key = held.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key
