-- What has been added to several histories: of each the newest events behind a sequence number, at most $3.
select found.instance, found.seq, found.type, found.at, found.issued, found.trail, found.data::text
from unnest($1::uuid[], $2::integer[]) as wanted (instance, after)
cross join lateral (
    select e.instance, e.seq, e.type, e.at, e.issued, e.trail, e.data
    from {schema}.events as e
    where e.instance = wanted.instance and e.seq > wanted.after
    order by e.seq desc
    limit $3
) as found
order by found.instance, found.seq
