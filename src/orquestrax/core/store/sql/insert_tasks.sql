-- Steps for the cluster's queues, in the transaction of the turn that asked for them. The priority is the instance's.
-- What its instance is suspected of, as long as nothing has happened to it, the step is suspected of: it may have run there.
-- Locks nothing but the new rows.
insert into {schema}.tasks
    (instance, command, step, queue, executor, lane, priority, available_at, attempt, asked_at, first_at, once, input,
     options, expires_at, expiry, suspicion, suspect_of)
select task.instance, task.command, task.step, task.queue, task.executor,
       case when carried.deaths > 1 then 2 else task.lane end, i.priority, {schema}.now(),
       task.attempt, task.asked_at, task.first_at, task.once, task.input, task.options,
       task.expires_at, task.expiry, carried.deaths, case when carried.deaths > 0 then i.suspect_of end
from unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::integer[],
            $9::timestamptz[], $10::timestamptz[], $11::boolean[], $12::json[], $13::json[], $14::timestamptz[], $15::json[])
    as task (instance, command, step, queue, executor, lane, attempt, asked_at, first_at, once, input, options,
             expires_at, expiry)
join {schema}.instances as i on i.key = task.instance
cross join lateral (
    select case when i.suspicion = 0 then 0 when exists (
        select from {schema}.events as e
        where e.instance = i.key and e.seq > i.lost_seq and e.type not in ('taken_over', 'step_started', 'steps_queued'))
        then 0 else i.suspicion end as deaths
    offset 0
) as carried
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
