select i.key, i.id, i.definition, i.version, i.status, i.owner, i.priority, i.wake_at, i.mail, i.created_at, i.started_at,
       i.ended_at, i.deadline, i.created_by, i.digest, i.input::text, i.result::text, i.error::text, i.waits::text,
       i.blocked::text, i.state::text, runs.name as node, began.name as started_on
from {schema}.instances as i
left join {schema}.nodes as runs on runs.fence = i.node
left join {schema}.nodes as began on began.fence = i.started_on
where i.id = $1
