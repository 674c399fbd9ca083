-- How far running steps have got, and their last heartbeats: what bodies say of themselves, latest wins. Written in
-- batches off the commit path, and without waiting for the disk: losing the last half second of it loses no promise.
-- One row for a step that says something at all; it goes with the step's end, or with its instance's.
create table {schema}.progress (
    instance uuid not null,
    command  integer not null,
    attempt  integer not null,
    node     integer not null,
    done     double precision,
    total    double precision,
    note     text not null default '',
    details  json,
    told_at  timestamptz not null,
    constraint progress_pkey primary key (instance, command)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0)
