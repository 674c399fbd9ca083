-- What bodies of this node said since the last time, in key order; an older attempt never overwrites a newer one.
-- Locks the rows of those steps. The commit does not wait for the disk: set_config holds for this transaction only.
insert into {schema}.progress as kept (instance, command, attempt, node, done, total, note, details, told_at)
select said.instance, said.command, said.attempt, $1, said.done, said.total, said.note, said.details::json,
       {schema}.now()
from unnest($2::uuid[], $3::integer[], $4::integer[], $5::float8[], $6::float8[], $7::text[], $8::text[])
     as said (instance, command, attempt, done, total, note, details)
cross join (select set_config('synchronous_commit', 'off', true)) as unsynced
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
order by said.instance, said.command
on conflict (instance, command) do update
set attempt = excluded.attempt, node = excluded.node, done = excluded.done, total = excluded.total,
    note = excluded.note, details = coalesce(excluded.details, kept.details), told_at = excluded.told_at
where kept.attempt <= excluded.attempt
