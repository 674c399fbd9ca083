-- What this node has taken and not begun waits again, as if it had never been taken; what belongs to a paused instance
-- waits for its resume. $4 is when it was taken: on its way for long, this may come when the node has taken it once more,
-- and begun. Locks those rows.
update {schema}.tasks as t
set worker = null, started_at = null, lane = case when t.lane = 2 then 2 else 0 end,
    available_at = case when (select i.status from {schema}.instances as i where i.key = t.instance) = 'paused'
        then 'infinity' else t.available_at end
from unnest($2::uuid[], $3::integer[], $4::timestamptz[]) as back (instance, command, taken_at)
where t.instance = back.instance and t.command = back.command and t.worker = $1
  and t.started_at is not distinct from back.taken_at
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
returning t.instance, t.command
