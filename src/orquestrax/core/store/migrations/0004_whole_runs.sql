-- What holds for a whole run: by when it must have ended; and the guard of transactional steps.

-- When an instance is out of time: created_at and its definition's time limit. It stays for people to read; the index
-- has only what can still run out of it.
alter table {schema}.instances add column deadline timestamptz;

create index instances_deadline on {schema}.instances (deadline)
    where deadline is not null and status not in ('completed', 'failed', 'cancelled', 'terminated');

-- The time limit of a whole run in seconds, for starts by those who do not have the code.
alter table {schema}.definitions add column timeout double precision;

-- A transactional step's transaction begins with a row here and takes it away again last of all, together with writing
-- its result. So no row is ever seen from outside, and a body that commits by itself is refused at its own COMMIT.
create unlogged table {schema}.transactions (
    xid      xid8 not null default pg_current_xact_id(),
    instance uuid not null,
    command  integer not null,
    constraint transactions_pkey primary key (xid)
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

create function {schema}.refuse_commit() returns trigger language plpgsql as $$
begin
    if exists (select from {schema}.transactions where xid = new.xid) then
        raise exception using errcode = 'invalid_transaction_termination', message =
            'a transactional step does not commit: its transaction ends with the step';
    end if;
    return null;
end $$;

create constraint trigger transactions_refuse_commit after insert on {schema}.transactions
    deferrable initially deferred for each row execute function {schema}.refuse_commit();
