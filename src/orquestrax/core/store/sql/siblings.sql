-- Incarnations of this home that still count as alive: of this boot, whose record locks tell, and of an earlier boot of
-- this host, which certainly died with it.
select fence, heartbeat, name, boot_id = $1 as same_boot
from {schema}.nodes
where status = 'alive' and home_id = $2 and fence <> $3 and (boot_id = $1 or host = $4)
