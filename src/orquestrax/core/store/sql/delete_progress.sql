-- Steps that have ended. Locks their rows; the commit does not wait for the disk.
with unsynced as materialized (select set_config('synchronous_commit', 'off', true)),
gone as materialized (
    select kept.ctid from {schema}.progress as kept
    join unnest($1::uuid[], $2::integer[]) as ended (instance, command) using (instance, command), unsynced
    order by kept.instance, kept.command for update of kept
)
delete from {schema}.progress where ctid in (select ctid from gone)
