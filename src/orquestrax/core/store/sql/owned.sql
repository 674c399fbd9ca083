-- What is mine: compared with memory after an unknown outcome and now and then. No locks. `lost_owner` as long as the
-- history does not tell of the takeover.
select key, id, definition, version, status, started_at, mail, input::text,
       created_at, deadline, suspicion,
       case when lost_owner is not null and not exists (
                select from {schema}.events where instance = key and seq > lost_seq and type = 'taken_over')
            then lost_owner end as lost_owner,
       started_at is null as never_started, false as blocked
from {schema}.instances where owner = $1
