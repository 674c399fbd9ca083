-- Newest first, by key (keys are in the order of time). $1 statuses, $2 definition, $3 keys, $4 key to go on
-- behind, $5 how many. Null leaves a filter out.
select i.key, i.id, i.definition, i.version, i.status, i.owner, i.priority, i.wake_at, i.mail, i.created_at, i.started_at,
       i.ended_at, i.deadline, i.created_by, i.digest, i.input::text, i.result::text, i.error::text, i.waits::text,
       i.blocked::text, i.state::text, runs.name as node, began.name as started_on
from {schema}.instances as i
left join {schema}.nodes as runs on runs.fence = i.node
left join {schema}.nodes as began on began.fence = i.started_on
where ($1::text[] is null or i.status = any($1))
  and ($2::text is null or i.definition = $2)
  and ($3::uuid[] is null or i.key = any($3))
  and ($4::uuid is null or i.key < $4)
order by i.key desc
limit $5
