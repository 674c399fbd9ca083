select seq, type, at, issued, trail, data::text from {schema}.events
where instance = $1 and seq > $2 order by seq limit $3
