-- Runs after its owner has been set dead: everything it held is due at once, in lane 0.
update {schema}.instances
set owner = null, lane = 0, wake_at = {schema}.now(), suspicion = suspicion + 1, lost_owner = $1
where owner = $1
returning key
