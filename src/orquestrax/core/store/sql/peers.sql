-- The queues of the other nodes that run steps. No locks.
select queues from {schema}.nodes where status = 'alive' and fence <> $1 and 'worker' = any(roles) order by fence
