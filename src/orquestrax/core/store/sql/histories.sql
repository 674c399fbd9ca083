-- Events, tasks, inbox and last heartbeats of a whole claim in ONE statement: read apart, a result that moves between
-- two of them would be missed by both, and its step would run twice. No locks, no fence.
select 0 as kind, instance, seq as number, type as name, at, issued, trail, 
       '' as message, '' as topic, data::text as payload
from {schema}.events where instance = any($1::uuid[])
union all
select 1, instance, command, step, null, 0, 0, '', '', null
from {schema}.tasks where instance = any($1::uuid[])
union all
select 2, instance, number, kind, null, 0, 0, message, name, payload::text
from {schema}.inbox where instance = any($1::uuid[])
union all
select 3, instance, command, '', null, 0, 0, '', '', details::text
from {schema}.progress where instance = any($1::uuid[])
order by 2, 1, 3
