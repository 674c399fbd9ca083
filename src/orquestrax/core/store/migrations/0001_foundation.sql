-- The six tables of the engine. No foreign keys and no triggers: the hot path writes whole batches, and what must
-- agree is written in one transaction. Other rooms bring their own tables in later migrations.

-- The only clock in SQL. STABLE, so that an index can be used with it; tests replace it to skip time.
create function {schema}.now() returns timestamptz language sql stable parallel safe
    as $$ select clock_timestamp() $$;

-- Of every process start one integer, never used twice.
create sequence {schema}.fences as integer;

create table {schema}.nodes (
    fence       integer primary key default nextval('{schema}.fences'),
    name        text not null,
    host        text not null,
    boot_id     text not null,
    home_id     text not null,
    pid         integer not null,
    roles       text[] not null,
    queues      text[] not null,
    definitions text[] not null,
    slots       json not null,
    release     text not null,
    heartbeat   bigint not null default 0,
    status      text not null default 'alive' check (status in ('alive', 'stopped', 'dead')),
    started_at  timestamptz not null default {schema}.now(),
    seen_at     timestamptz not null default {schema}.now(),
    ended_at    timestamptz
) with (fillfactor = 50, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);

create table {schema}.definitions (
    name          text not null,
    version       text not null,
    digest        text not null,
    input_schema  json not null,
    output_schema json not null,
    doc           text not null default '',
    file          text not null,
    line          integer not null,
    source        text not null,
    registered_at timestamptz not null default {schema}.now(),
    primary key (name, version)
);

create table {schema}.instances (
    key        uuid not null,
    id         text not null,
    definition text not null,
    version    text not null default '',
    status     text not null,
    owner      integer,
    lane       smallint not null default 1,
    priority   smallint not null default 2 check (priority between 0 and 4),
    wake_at    timestamptz,
    mail       integer not null default 0,
    suspicion  smallint not null default 0,
    lost_owner integer,
    node       integer,
    started_on integer,
    created_at timestamptz not null default {schema}.now(),
    started_at timestamptz,
    ended_at   timestamptz,
    parent     uuid,
    created_by text not null default '',
    digest     bytea not null,
    input      json not null,
    result     json,
    error      json,
    waits      json,
    blocked_by text,
    blocked    json,
    state      json,
    attributes jsonb,
    constraint instances_pkey primary key (key)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

create unique index instances_id on {schema}.instances (id);
create index instances_due on {schema}.instances (definition, lane, priority, wake_at)
    where owner is null and wake_at is not null;
create index instances_owned on {schema}.instances (owner) where owner is not null;
create index instances_blocked on {schema}.instances (definition, blocked_by) where status = 'blocked';
-- Lists and counts by status; completed instances, the great majority, are left out and found by key.
create index instances_open on {schema}.instances (status, key) where status <> 'completed';

create table {schema}.events (
    instance uuid not null,
    seq      integer not null,
    type     text not null,
    at       timestamptz not null,
    issued   integer not null,
    trail    bigint not null,
    data     json not null,
    constraint events_pkey primary key (instance, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

create table {schema}.inbox (
    instance uuid not null,
    number   integer not null,
    kind     text not null,
    name     text not null default '',
    message  text not null,
    payload  json,
    sent_at  timestamptz not null default {schema}.now(),
    constraint inbox_pkey primary key (instance, number)
) with (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- Found by any engine node, whatever the definition: these run no code.
create index inbox_orders on {schema}.inbox (instance) where kind in ('cancel', 'terminate');

create table {schema}.tasks (
    instance     uuid not null,
    command      integer not null,
    step         text not null,
    queue        text not null,
    lane         smallint not null default 1,
    priority     smallint not null default 2,
    available_at timestamptz not null,
    attempt      integer not null,
    worker       integer,
    started_at   timestamptz,
    asked_at     timestamptz not null,
    input        json not null,
    options      json not null,
    constraint tasks_pkey primary key (instance, command)
) with (fillfactor = 70, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

create index tasks_due on {schema}.tasks (queue, lane, priority, available_at) where worker is null;
create index tasks_claimed on {schema}.tasks (worker) where worker is not null;
