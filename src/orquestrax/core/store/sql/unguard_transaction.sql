-- The body has ended. No row: it has ended the transaction by itself, and this is another one.
delete from {schema}.transactions
where xid = pg_current_xact_id() and instance = $1::uuid and command = $2::integer
returning command
