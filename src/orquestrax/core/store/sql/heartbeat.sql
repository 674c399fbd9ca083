-- Locks only my own row, which nothing else updates while I live, but for an order to drain. $2 is how busy I am.
update {schema}.nodes set heartbeat = heartbeat + 1, seen_at = {schema}.now(), load = $2::json where fence = $1 and status = 'alive'
returning heartbeat, {schema}.now() as now, draining_at is not null as draining, grace
