-- Steps for the cluster's queues, in the transaction of the turn that asked for them. The priority is the instance's.
-- Locks nothing but the new rows.
insert into {schema}.tasks
    (instance, command, step, queue, executor, lane, priority, available_at, attempt, asked_at, first_at, once, input,
     options, expires_at, expiry)
select task.instance, task.command, task.step, task.queue, task.executor, task.lane, i.priority, {schema}.now(),
       task.attempt, task.asked_at, task.first_at, task.once, task.input, task.options,
       task.expires_at, task.expiry
from unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::integer[],
            $9::timestamptz[], $10::timestamptz[], $11::boolean[], $12::json[], $13::json[], $14::timestamptz[], $15::json[])
    as task (instance, command, step, queue, executor, lane, attempt, asked_at, first_at, once, input, options,
             expires_at, expiry)
join {schema}.instances as i on i.key = task.instance
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
