-- Locks the rows that a batch will update, in key order: two batches in different orders would deadlock.
select key, owner, mail from {schema}.instances where key = any($1::text::uuid[]) order by key for no key update
