-- What the steps of these instances last said of themselves. No locks.
select p.instance, p.command, p.attempt, n.name as node, p.done, p.total, p.note, p.details::text, p.told_at
from {schema}.progress as p left join {schema}.nodes as n on n.fence = p.node
where p.instance = any($1::uuid[])
order by p.instance, p.command
