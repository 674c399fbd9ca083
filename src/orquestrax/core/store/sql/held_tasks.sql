-- What says that this node has it. No locks.
select instance, command, attempt from {schema}.tasks where worker = $1
