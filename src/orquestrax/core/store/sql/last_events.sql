-- What really happened to a batch whose outcome is unknown. Runs under the exclusively held fence.
select i.key, i.owner, i.status, coalesce(max(e.seq), 0) as seq
from {schema}.instances as i left join {schema}.events as e on e.instance = i.key
where i.key = any($1::uuid[]) group by i.key
