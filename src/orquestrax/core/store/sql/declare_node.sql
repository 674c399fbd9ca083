-- Runs after the fence has been taken exclusively. With $2, only if the heartbeat's counter is still that.
update {schema}.nodes set status = 'dead', ended_at = {schema}.now(), declared_by = $3, cause = $4
where fence = $1 and status = 'alive' and ($2::bigint is null or heartbeat = $2)
returning name, (extract(epoch from ended_at - seen_at) * 1000000)::bigint as silent
