-- Steps that must have started by a moment: {"option": "queue_timeout", "seconds": 5.0}. Where nobody takes them in
-- time, any node tells their workflow.
alter table {schema}.tasks
    add column expires_at timestamptz,
    add column expiry     json;

create index tasks_expiring on {schema}.tasks (expires_at) where worker is null and expires_at is not null;
