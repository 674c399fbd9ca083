-- Live counts: open ones exactly, by their partial index; completed ones up to a bound, because nobody reads more.
select status, count(*)::integer as n from {schema}.instances where status <> 'completed' group by status
union all
select 'completed', count(*)::integer
from (select from {schema}.instances where status = 'completed' limit 10001) as bounded
