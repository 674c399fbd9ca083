-- Who went on with how many instances of whom. One row for each pair; only this node writes its own.
insert into {schema}.takeovers (dead, node, instances)
select dead, $1, instances from unnest($2::integer[], $3::integer[]) as taken (dead, instances)
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
on conflict (dead, node) do update
set instances = takeovers.instances + excluded.instances, last_at = excluded.last_at
returning dead
