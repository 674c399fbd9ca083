-- One batch of log records, in order: $1 their instances, then times, levels, attempts, loggers, steps, messages, traces
-- and sizes in bytes; $10 the node, $11 how many bytes an instance may have. What goes beyond that is left out, but for
-- one record that says so. Locks nothing but the new rows. Returns the instances that are there, and whether they are
-- full: a start that has not been committed yet is not there.
with sent as (
    select *
    from unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::integer[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::integer[])
         with ordinality as record (instance, at, level, attempt, logger, step, message, trace, size, place)
), there as (
    select i.key as instance, coalesce(last.total, 0) as total
    from {schema}.instances as i
    left join lateral (
        select l.total from {schema}.logs as l where l.instance = i.key order by l.number desc limit 1
    ) as last on true
    where i.key = any($1::uuid[])
), counted as (
    select sent.*, there.total + sum(sent.size) over (partition by sent.instance order by sent.place) as total
    from sent
    join there on there.instance = sent.instance
), kept as (
    select instance, at, total, level, attempt, logger, step, message, trace, place
    from counted
    where total <= $11::integer
    union all
    select instance, at, $11::integer + 1, 30, 0, 'orquestrax', '',
           'what follows is not kept: an instance may log ' || $11::integer / 1000000 || ' MB', null, place
    from counted
    where total > $11::integer and total - size <= $11::integer
), written as (
    insert into {schema}.logs (instance, at, total, level, attempt, node, logger, step, message, trace)
    select instance, at, total, level, attempt, $10, logger, step, message, trace
    from kept
    order by place
)
select instance, max(total) > $11::integer as full from counted group by instance
