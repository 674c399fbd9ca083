-- Runs after the fence has been taken exclusively. $2 is 'dead' or 'stopped'; with $3, only if the counter is still that.
update {schema}.nodes set status = $2, ended_at = {schema}.now()
where fence = $1 and status = 'alive' and ($3::bigint is null or heartbeat = $3)
returning fence
