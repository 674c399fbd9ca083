-- Steps that their workflow no longer waits for. Their instances' rows are locked already, as whoever deletes a task
-- locks its instance first.
delete from {schema}.tasks as t
using unnest($2::uuid[], $3::integer[]) as gone (instance, command)
where t.instance = gone.instance and t.command = gone.command
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
