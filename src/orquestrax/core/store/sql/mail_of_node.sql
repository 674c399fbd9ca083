-- Messages to my instances that have not become history yet. The inbox is short: what is read is deleted.
select x.instance, x.number, x.kind, x.name, x.message, x.payload::text, {schema}.now() as now
from {schema}.inbox as x join {schema}.instances as i on i.key = x.instance
where i.owner = $1
order by x.instance, x.number
