-- What a replay after their end has found about instances: the newest record of the logger $2 for each of $1.
select distinct on (instance) instance, message
from {schema}.logs
where instance = any($1::uuid[]) and logger = $2
order by instance, number desc
