-- Messages that have become history in this same transaction.
delete from {schema}.inbox as i
using unnest($2::uuid[], $3::integer[]) as read (instance, number)
where i.instance = read.instance and i.number = read.number
  and exists (select from {schema}.nodes where fence = $1 and status = 'alive')
