-- Steps that have ended on node $1. What another living node says of them stays: it may have taken them over. Locks
-- their rows; the commit does not wait for the disk.
with unsynced as materialized (select set_config('synchronous_commit', 'off', true)),
gone as materialized (
    select kept.ctid from {schema}.progress as kept
    join unnest($2::uuid[], $3::integer[]) as ended (instance, command) using (instance, command), unsynced
    where kept.node = $1
       or not exists (select from {schema}.nodes where fence = kept.node and status = 'alive')
    order by kept.instance, kept.command for update of kept
)
delete from {schema}.progress where ctid in (select ctid from gone)
