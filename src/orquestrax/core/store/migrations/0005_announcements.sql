-- What a node announces for people to see. None of it decides anything.
alter table {schema}.nodes add column code json not null default '{}';

-- How busy it was at its last heartbeat: {"held": instances in memory, "waiting": steps without a slot,
-- "used": {"thread": 3}}. Null before the first.
alter table {schema}.nodes add column load json;
