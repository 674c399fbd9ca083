-- Locks only my own row, which nothing else updates while I live, but for an order to drain.
update {schema}.nodes set heartbeat = heartbeat + 1, seen_at = {schema}.now() where fence = $1 and status = 'alive'
returning heartbeat, {schema}.now() as now, draining_at is not null as draining, grace
