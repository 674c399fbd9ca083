-- Membership: what a node announces, how it ended, who went on with what it held, and who is suspected of its death.

-- `lease` is how long the node may be silent (seconds); `code` has version and digest of each definition. Of the dead:
-- who declared it, why (silent: its heartbeats stopped; gone: its process was seen to be; expired: it came back itself
-- as another incarnation), and how many instances and tasks were freed.
alter table {schema}.nodes
    add column lease double precision not null default 10,
    add column python text not null default '',
    add column code json not null default '{}',
    add column declared_by integer,
    add column cause text,
    add column freed integer,
    add column freed_tasks integer;

create index nodes_alive on {schema}.nodes (fence) where status = 'alive';

-- `lost_seq` is the last event when the owner was lost: what stands behind it, but for takeovers, is progress.
-- `suspect_of` is the node whose death `suspicion` was last raised for. Lane 2 is for suspects that run alone.
alter table {schema}.instances
    add column lost_seq integer,
    add column suspect_of integer;

create index instances_suspects on {schema}.instances (suspect_of) where suspicion > 0;

alter table {schema}.tasks add column suspicion smallint not null default 0;

-- Who took over how many instances of whom, for people: one row for each pair.
create table {schema}.takeovers (
    dead      integer not null,
    node      integer not null,
    instances integer not null,
    first_at  timestamptz not null default {schema}.now(),
    last_at   timestamptz not null default {schema}.now(),
    constraint takeovers_pkey primary key (dead, node)
);

-- So far every loss of an owner was counted, also after progress.
update {schema}.instances set suspicion = 0 where suspicion > 0;
