-- Stand for the lead, or renew it: whoever holds it keeps it as long as it renews in time, and everybody else has to wait
-- until it ends. A lead that was lost in between is another term. Locks the one row.
update {schema}.leader as l
set fence = $1,
    term = case when l.fence = $1 and l.until > {schema}.now() then l.term else l.term + 1 end,
    until = {schema}.now() + make_interval(secs => $2::double precision)
where (l.fence = $1 or l.until <= {schema}.now())
  and exists (select from {schema}.nodes as n where n.fence = $1 and n.status = 'alive')
returning l.term
