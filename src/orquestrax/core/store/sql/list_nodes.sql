-- Nodes that have not ended and the latest that have, newest first. `now` is the clock that wrote all the other times.
select fence, name, host, pid, roles, queues, definitions, slots::text, release, heartbeat,
       case when status = 'alive' and draining_at is not null then 'draining' else status end as status, started_at, seen_at,
       draining_at, ended_at, lease, python, code::text, declared_by, cause, freed, freed_tasks, load::text, {schema}.now() as now
from {schema}.nodes
where ended_at is null or fence in (select fence from {schema}.nodes order by fence desc limit 20)
order by fence desc
