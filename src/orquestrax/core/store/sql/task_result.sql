-- The result of a transactional step that was claimed from a queue becomes a message, last of all before COMMIT, with
-- the fence held: if the task is still mine, with this attempt, and I live. Locks the instance's row, then the task's.
with locked as materialized (
    select key from {schema}.instances where key = $2::uuid for no key update
), mine as (
    delete from {schema}.tasks as t using locked
    where t.instance = locked.key and t.command = $6::integer and t.worker = $1::integer and t.attempt = $7::integer
      and exists (select from {schema}.nodes where fence = $1::integer and status = 'alive')
    returning t.instance
), raised as (
    update {schema}.instances as i
    set mail = i.mail + 1,
        lane = case when i.owner is null and i.lane <> 2 then 0 else i.lane end,
        wake_at = case
            when i.owner is null and i.status not in ('paused', 'blocked') then {schema}.now() else i.wake_at end
    from mine
    where i.key = mine.instance and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
    returning i.mail
)
insert into {schema}.inbox (instance, number, kind, name, message, payload)
select $2::uuid, raised.mail, 'step', $4, $3, $5::json from raised
returning number
