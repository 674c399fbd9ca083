-- New values for rows that lock_instances has locked. A release leaves the row in lane 0: it was already under way.
update {schema}.instances as i
set status = change.status,
    owner = case when change.release then null else i.owner end,
    lane = case when change.release then 0 else i.lane end,
    wake_at = timestamptz 'epoch' + change.wake_at * interval '1 microsecond',
    waits = case when change.status = 'paused' then coalesce(change.waits::json, i.waits) else change.waits::json end,
    result = change.result::json,
    error = change.error::json,
    ended_at = timestamptz 'epoch' + change.ended_at * interval '1 microsecond',
    blocked_by = change.blocked_by,
    blocked = change.blocked::json,
    suspicion = case when change.release then 0 else i.suspicion end,
    lost_owner = case when change.release then null else i.lost_owner end
from unnest($2::text::uuid[], $3::text::text[], $4::text::boolean[], $5::text::bigint[], string_to_array($6, chr(30), ''),
            string_to_array($7, chr(30), ''), string_to_array($8, chr(30), ''), $9::text::bigint[], $10::text::text[],
            string_to_array($11, chr(30), ''))
    as change (key, status, release, wake_at, waits, result, error, ended_at, blocked_by, blocked)
where i.key = change.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
