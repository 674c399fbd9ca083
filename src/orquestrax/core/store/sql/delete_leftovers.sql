-- At the end of an instance: its tasks and the messages that its terminal event lists as unhandled.
with gone as (delete from {schema}.tasks where instance = any($2::text::uuid[])
              and exists (select from {schema}.nodes where fence = $1 and status = 'alive'))
delete from {schema}.inbox where instance = any($2::text::uuid[])
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
