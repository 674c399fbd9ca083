-- New values for rows that lock_instances has locked. A release leaves the row in lane 0: it was already under way.
update {schema}.instances as i
set status = change.status,
    owner = case when change.release then null else i.owner end,
    lane = case when change.release then 0 else i.lane end,
    wake_at = change.wake_at,
    waits = case when change.status = 'paused' then coalesce(change.waits, i.waits) else change.waits end,
    result = change.result,
    error = change.error,
    ended_at = change.ended_at,
    blocked_by = change.blocked_by,
    blocked = change.blocked,
    suspicion = case when change.release then 0 else i.suspicion end,
    lost_owner = case when change.release then null else i.lost_owner end
from unnest($2::uuid[], $3::text[], $4::boolean[], $5::timestamptz[], $6::json[], $7::json[], $8::json[],
            $9::timestamptz[], $10::text[], $11::json[])
    as change (key, status, release, wake_at, waits, result, error, ended_at, blocked_by, blocked)
where i.key = change.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
