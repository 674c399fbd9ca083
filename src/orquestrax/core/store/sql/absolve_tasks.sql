-- A node that was declared dead lives after all: as `absolve`, for the steps that it had taken. One that was convicted waits
-- again, unless somebody is telling its workflow already; an at-most-once step is lost all the same. Locks the rows in key
-- order, in a transaction of its own: whoever locks a task after an instance must not wait for one who holds both.
with accused as materialized (
    select instance, command, lost is not null and not once and worker is null as convicted
    from {schema}.tasks where suspect_of = $1 and suspicion > 0 order by instance, command for no key update
)
update {schema}.tasks as t
set suspicion = t.suspicion - 1, suspect_of = null,
    lane = case when t.lane = 2 and t.suspicion <= 2 then 0 else t.lane end,
    lost = case when accused.convicted then null else t.lost end,
    started_at = case when accused.convicted then null else t.started_at end
from accused
where t.instance = accused.instance and t.command = accused.command
returning t.instance
