-- How busy a node was at its last heartbeat, for people: {"held": instances in memory, "waiting": steps without a slot,
-- "used": {"thread": 3}}. Null before the first.
alter table {schema}.nodes add column load json;
