-- A clean stop: everything it held is due at once, in lane 0. No suspicion: nothing was lost.
update {schema}.instances set owner = null, lane = 0, wake_at = {schema}.now() where owner = $1 returning key
