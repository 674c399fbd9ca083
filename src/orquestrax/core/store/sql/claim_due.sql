-- Takes due instances, lane by lane ($3), and of each lane only as far as there is room ($4, which counts what earlier
-- lanes take); $6 is the most of all, said for the planner, who does not see it in $4. Lateral over lanes x definitions x priorities, so that a backlog of a definition that nobody serves is
-- never looked at. What just this code ($5, digests beside $2) has blocked is left to other code.
-- Locks the claimed rows, and those found beyond the room until it commits; skips what another claim has locked.
with due as (
    select ranked.key, ranked.status, ranked.lost_owner, ranked.started_at
    from (
        select found.*, open.room, row_number() over (order by open.lane, urgency.priority, found.wake_at, found.key) as place
        from unnest($3::smallint[], $4::integer[]) as open (lane, room)
        cross join unnest($2::text[], $5::text[]) as served (definition, digest)
        cross join generate_series(0, 4) as urgency (priority)
        cross join lateral (
            select key, status, lost_owner, started_at, wake_at
            from {schema}.instances as i
            where i.definition = served.definition and i.lane = open.lane and i.priority = urgency.priority
              and i.owner is null and i.wake_at is not null and i.wake_at <= {schema}.now()
              and (i.status <> 'blocked' or i.blocked_by is distinct from served.digest)
            order by i.wake_at
            limit open.room
            for update skip locked
        ) as found
    ) as ranked
    where ranked.place <= ranked.room
    limit $6::integer
)
update {schema}.instances as i
set owner = $1, node = $1, wake_at = null, blocked = null, blocked_by = null,
    status = case when i.status in ('pending', 'blocked') then 'running' else i.status end,
    started_at = coalesce(i.started_at, {schema}.now()), started_on = coalesce(i.started_on, $1)
from due
where i.key = due.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning i.key, i.id, i.definition, i.version, i.status, i.started_at, i.mail, i.input::text,
          i.created_at, i.deadline, i.suspicion,
          due.lost_owner, due.started_at is null as never_started, due.status = 'blocked' as blocked
