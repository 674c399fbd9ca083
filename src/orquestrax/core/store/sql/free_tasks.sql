-- Runs after the worker $1 has been set dead, or stops. What it had taken waits again, first of all; an at-most-once
-- step that it may have begun is marked as lost with it. Rows are locked in key order, as ends of instances do.
with held as materialized (
    select instance, command from {schema}.tasks where worker = $1 order by instance, command for no key update
)
update {schema}.tasks as t
set worker = null, lane = 0, available_at = {schema}.now(),
    lost = case when t.once then coalesce(t.lost, $1) end,
    started_at = case when t.once then t.started_at end
from held
where t.instance = held.instance and t.command = held.command
