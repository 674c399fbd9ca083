-- Live counts: open ones exactly, by their partial index; completed ones up to a bound, because nobody reads more. No
-- index has these: they are what there is beyond the open ones, so that many of those and few completed cost no more.
with open as materialized (
    select status, count(*)::integer as n from {schema}.instances where status <> 'completed' group by status
), known as materialized (
    select coalesce(sum(n), 0)::integer as n from open
)
select status, n from open
union all
select 'completed', count(*)::integer - (select n from known)
from (select from {schema}.instances order by key limit (select n from known) + 10001) as bounded
