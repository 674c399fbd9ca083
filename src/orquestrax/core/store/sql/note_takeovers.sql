-- Who went on with how many instances and steps of whom. One row for each pair; only this node writes its own. Steps may
-- wait for a slot, so `last_at` is theirs only where there is nothing else.
insert into {schema}.takeovers (dead, node, instances, steps)
select dead, $1, instances, steps from unnest($2::integer[], $3::integer[], $4::integer[]) as taken (dead, instances, steps)
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
on conflict (dead, node) do update
set instances = takeovers.instances + excluded.instances, steps = takeovers.steps + excluded.steps,
    last_at = case when excluded.instances > 0 or takeovers.instances = 0 then excluded.last_at else takeovers.last_at end
returning dead
