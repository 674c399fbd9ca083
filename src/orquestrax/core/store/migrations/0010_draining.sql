-- A node that is to end: since when, and how many seconds its bodies have, null if that is the node's own to say.
alter table {schema}.nodes
    add column draining_at timestamptz,
    add column grace double precision;

-- Who does the upkeep of the whole cluster: one row. `term` counts the leaders; each holds it until `until`, unless it
-- renews. Losing it stops nothing but sweeps.
create table {schema}.leader (
    id     smallint primary key default 1 check (id = 1),
    fence  integer,
    term   bigint not null default 0,
    until  timestamptz not null default '-infinity'
) with (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

insert into {schema}.leader default values;
