-- Messages to my instances that have not become history yet. The inbox is short, as what is read is deleted; then it is
-- read, and each of its instances looked up. But what is paused or blocked keeps its mail: where the inbox is long, each
-- of my instances is looked up in it.
with few as materialized (
    select instance, number, kind, name, message, payload from {schema}.inbox limit 2000
), long as materialized (
    select count(*) = 2000 as so from few
), mine as (
    select few.*
    from few
    where not (select so from long)
      and (select i.owner from {schema}.instances as i where i.key = few.instance) = $1
    union all
    select found.*
    from {schema}.instances as i
    cross join lateral (
        select x.instance, x.number, x.kind, x.name, x.message, x.payload
        from {schema}.inbox as x where x.instance = i.key offset 0
    ) as found
    where (select so from long) and i.owner = $1
)
select instance, number, kind, name, message, payload::text, {schema}.now() as now
from mine
order by instance, number
