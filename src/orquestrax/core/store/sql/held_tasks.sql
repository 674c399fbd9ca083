-- What says that this node has it. No locks.
select instance, command, attempt, started_at from {schema}.tasks where worker = $1
