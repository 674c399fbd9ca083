-- What workflows and steps log, for the Logs tab: best effort, at most 1 MB of text per instance. Written in batches
-- off the engine's way, without waiting for the disk. `number` is the order of arrival and the key that pages go by;
-- `total` is how many bytes the instance had with this record, so that the next batch knows without counting.
create table {schema}.logs (
    instance uuid not null,
    number   bigint generated always as identity,
    at       timestamptz not null,
    total    integer not null,
    level    smallint not null,
    attempt  integer not null,
    node     text not null,
    logger   text not null,
    step     text not null,
    message  text not null,
    trace    text,
    constraint logs_pkey primary key (instance, number)
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Ids are compared byte by byte: quicker than by the rules of a language, and the unique index then also finds ids by
-- their beginning. Only that index is built anew, and not even that where the database compares so already.
alter table {schema}.instances alter column id type text collate "C";
