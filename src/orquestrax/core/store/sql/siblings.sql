-- Incarnations of this machine and home that still count as alive.
select fence, heartbeat, name from {schema}.nodes where status = 'alive' and boot_id = $1 and home_id = $2 and fence <> $3
