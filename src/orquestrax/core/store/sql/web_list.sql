-- A page of the dashboard's list, newest first, by key (keys are in the order of time); payloads only as far as a row
-- shows them. $1 statuses, $2 definition, $3 keys, $4 key to go on behind, $5 how many. Null leaves a filter
-- out.
select i.key, i.id, i.definition, i.status, i.wake_at, i.created_at, i.started_at, i.ended_at, i.waits::text,
       left(i.result::text, 200) as result, i.error->>'type' as error_type,
       left(i.error->>'message', 400) as error_message, left(i.blocked->>'message', 400) as blocked,
       runs.name as node
from {schema}.instances as i
left join {schema}.nodes as runs on runs.fence = i.node
where ($1::text[] is null or i.status = any($1))
  and ($2::text is null or i.definition = $2)
  and ($3::uuid[] is null or i.key = any($3))
  and ($4::uuid is null or i.key < $4)
order by i.key desc
limit $5
