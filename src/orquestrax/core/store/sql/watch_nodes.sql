-- The heartbeats of the others. `neighbour` if their processes are of this boot and home, so that their record locks
-- tell whether they live.
select fence, name, heartbeat, lease, boot_id = $2 and home_id = $3 as neighbour
from {schema}.nodes where status = 'alive' and fence <> $1
order by fence
