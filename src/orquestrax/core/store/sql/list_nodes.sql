select fence, name, host, pid, roles, queues, definitions, slots::text, release, heartbeat, status, started_at, seen_at, ended_at
from {schema}.nodes where status = 'alive' or fence in (select fence from {schema}.nodes order by fence desc limit 20)
order by fence desc
