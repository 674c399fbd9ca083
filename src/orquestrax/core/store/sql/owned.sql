-- What is mine: compared with memory after an unknown outcome and now and then. No locks.
select key, id, definition, version, status, coalesce(started_at, {schema}.now()) as started_at, mail, input::text,
       created_at, deadline,
       lost_owner, started_at is null as never_started, false as blocked
from {schema}.instances where owner = $1
