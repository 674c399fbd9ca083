-- When instances are out of time, written once with their start or first change. Their rows are new or locked already.
update {schema}.instances as i
set deadline = known.deadline
from unnest($2::uuid[], $3::timestamptz[]) as known (key, deadline)
where i.key = known.key and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
