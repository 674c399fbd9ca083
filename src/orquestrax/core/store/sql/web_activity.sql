-- What instances are at: of each the newest events, at most $2, as far as they are about steps.
select found.instance, found.seq, found.type, found.at, found.issued, found.trail, found.data::text
from unnest($1::uuid[]) as wanted (instance)
cross join lateral (
    select e.instance, e.seq, e.type, e.at, e.issued, e.trail, e.data
    from {schema}.events as e
    where e.instance = wanted.instance
    order by e.seq desc
    limit $2
) as found
where found.type like 'step\_%'
order by found.instance, found.seq
