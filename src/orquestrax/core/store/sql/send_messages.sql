-- Messages to instances: ONE statement that raises each row's mail by the number of its messages and inserts them
-- under the numbers so given. Grouped per instance (`mail = mail + 1` over several rows of an unnest counts once);
-- rows are locked in key order. An ended instance takes none, nor does one whose inbox is full (10,000 messages). A
-- blocked one takes no pause, and one that is not paused, nor about to be, no resume. Neither wakes a row without an
-- owner: `claim_orders` finds them.
with message as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::json[])
        with ordinality as m (instance, kind, name, message, payload, place)
), addressed as (
    select instance, count(*)::integer as n, bool_or(kind in ('cancel', 'terminate')) as orders,
           bool_or(kind not in ('pause', 'resume')) as wakes, bool_or(kind = 'pause') as pauses,
           bool_or(kind = 'resume') as resumes
    from message group by instance
), locked as (
    select key, status from {schema}.instances where key = any($1::uuid[]) order by key
    for no key update
), raised as (
    update {schema}.instances as i
    set mail = i.mail + addressed.n,
        lane = case when i.owner is null and i.started_at is not null and i.lane <> 2 then 0 else i.lane end,
        wake_at = case
            when i.owner is null and addressed.wakes and (i.status not in ('paused', 'blocked') or addressed.orders) then {schema}.now()
            else i.wake_at end
    from addressed join locked on locked.key = addressed.instance
    where i.key = any($1::uuid[]) and i.key = addressed.instance and i.status not in ('completed', 'failed', 'cancelled', 'terminated')
      and not (addressed.pauses and i.status = 'blocked')
      and not (addressed.resumes and i.status <> 'paused' and not exists (
          select from {schema}.inbox as x where x.instance = i.key and x.kind = 'pause'))
      and (addressed.orders or not addressed.wakes or (
          select count(*) from (select from {schema}.inbox as x where x.instance = i.key limit 10000) as kept) < 10000)
    returning i.key, i.mail, i.owner, addressed.n
), stored as (
    insert into {schema}.inbox (instance, number, kind, name, message, payload)
    select m.instance, raised.mail - raised.n + row_number() over (partition by m.instance order by m.place),
           m.kind, m.name, m.message, m.payload
    from message as m join raised on raised.key = m.instance
)
select addressed.instance, raised.mail, raised.owner, raised.key is not null as taken,
       locked.key is not null as known, locked.status, addressed.pauses or addressed.resumes as steers,
       locked.status in ('completed', 'failed', 'cancelled', 'terminated') as ended
from addressed left join locked on locked.key = addressed.instance left join raised on raised.key = addressed.instance
