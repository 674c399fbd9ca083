-- What this node has taken and not begun waits again, as if it had never been taken. Locks those rows.
update {schema}.tasks as t
set worker = null, started_at = null, lane = case when t.lane = 2 then 2 else 0 end
from unnest($2::uuid[], $3::integer[]) as back (instance, command)
where t.instance = back.instance and t.command = back.command and t.worker = $1
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
