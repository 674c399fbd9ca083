-- The newest that an instance has logged, oldest first, behind a number. $3 the least level, $4 a step, null for all;
-- $5 how many.
select number, at, level, attempt, node, logger, step, message, trace
from (
    select number, at, level, attempt, node, logger, step, message, trace
    from {schema}.logs
    where instance = $1 and number > $2 and level >= $3 and ($4::text is null or step = $4)
    order by number desc
    limit $5
) as newest
order by number
