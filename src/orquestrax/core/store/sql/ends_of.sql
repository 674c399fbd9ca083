-- Of these instances, how those ended that have: for who waits for their results.
select key, status, result::text, error::text
from {schema}.instances
where key = any($1::uuid[]) and status in ('completed', 'failed', 'cancelled', 'terminated')
