-- What a worker tells of its tasks, as messages to their instances, in one statement. The task is the fence: only who
-- has it now, with this attempt, is heard; a message that ends it deletes it. Rows of instances are locked first, in
-- key order, as every transaction does that goes on to their tasks. Results have room in any inbox: there are no more
-- of them than steps that were asked for.
with told as (
    select * from unnest($2::uuid[], $3::integer[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::json[],
                         $9::boolean[])
        with ordinality as m (instance, command, attempt, kind, step, message, payload, ends, place)
), locked as materialized (
    select key, status from {schema}.instances where key = any($2::uuid[]) order by key
    for no key update
), mine as materialized (
    select told.*, locked.status
    from told
    join locked on locked.key = told.instance
    join {schema}.tasks as t on t.instance = told.instance and t.command = told.command
     and t.worker = $1 and t.attempt = told.attempt
    where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
    for no key update of t
), ended as (
    delete from {schema}.tasks as t using mine
    where mine.ends and t.instance = mine.instance and t.command = mine.command
), addressed as (
    select instance, count(*)::integer as n from mine
    where status not in ('completed', 'failed', 'cancelled', 'terminated') group by instance
), raised as (
    update {schema}.instances as i
    set mail = i.mail + addressed.n,
        lane = case when i.owner is null and i.lane <> 2 then 0 else i.lane end,
        wake_at = case
            when i.owner is null and i.status not in ('paused', 'blocked') then {schema}.now() else i.wake_at end
    from addressed
    where i.key = addressed.instance
    returning i.key, i.mail, i.owner, addressed.n
), stored as (
    insert into {schema}.inbox (instance, number, kind, name, message, payload)
    select mine.instance, raised.mail - raised.n + row_number() over (partition by mine.instance order by mine.place),
           mine.kind, mine.step, mine.message, mine.payload
    from mine join raised on raised.key = mine.instance
)
select mine.instance, mine.command, mine.attempt, raised.owner
from mine left join raised on raised.key = mine.instance
