-- Instances that other code of this definition could not continue: fitting code may be here now.
update {schema}.instances set wake_at = {schema}.now(), lane = 0
where status = 'blocked' and definition = $1 and blocked_by <> $2 and owner is null
