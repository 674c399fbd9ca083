-- Steps that any node of the cluster may run. A task waits while it has no worker; claims look for the pairs of queue
-- and step that wait at all by one probe of this index each, so that a backlog that a node does not serve costs it
-- nothing.
alter table {schema}.tasks
    add column executor text not null default 'async',
    add column once     boolean not null default false,
    add column first_at timestamptz,
    add column lost     integer;

drop index {schema}.tasks_due;
create index tasks_due on {schema}.tasks (queue, executor, step, lane, priority, available_at)
    where worker is null and lost is null;

-- At-most-once steps whose worker died with them: they are not run again, any node may say so.
create index tasks_lost on {schema}.tasks (lost) where lost is not null;
