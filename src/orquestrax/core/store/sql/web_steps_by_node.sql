-- Which node ran how many steps of one instance to their end, and how many commands its code has asked for by now.
select e.data->>'node' as node, count(*) filter (where e.type = 'step_completed')::integer as steps,
       max(e.issued) as asked
from {schema}.events as e
where e.instance = $1 and e.type like 'step\_%'
group by 1
