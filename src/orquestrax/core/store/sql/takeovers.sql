-- Of these dead nodes: who went on with how many of their instances and steps, and how long after their last sign of life.
select t.dead, t.node, n.name, t.instances, t.steps, t.first_at, t.last_at, d.seen_at as lost_at
from {schema}.takeovers as t
join {schema}.nodes as d on d.fence = t.dead
left join {schema}.nodes as n on n.fence = t.node
where t.dead = any($1::integer[])
order by t.dead, t.first_at, t.node
