-- Nodes are to end: each hears of it with its next heartbeat. $2 the seconds that their bodies have, null if the nodes
-- know best. Locks their rows for as long as this takes.
update {schema}.nodes
set draining_at = coalesce(draining_at, {schema}.now()), grace = coalesce($2::double precision, grace)
where fence = any($1::integer[]) and status = 'alive'
returning fence, name
