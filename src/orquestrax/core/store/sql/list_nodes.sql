select fence, name, host, pid, roles, queues, definitions, slots::text, release, heartbeat, status, started_at, seen_at, ended_at,
       lease, python, code::text, declared_by, cause, freed, freed_tasks
from {schema}.nodes where status = 'alive' or fence in (select fence from {schema}.nodes order by fence desc limit 20)
order by fence desc
