-- The result of a transactional step becomes a message, last of all before COMMIT, with the fence held: if the instance
-- is still mine, I live, and no result of the command is there. Locks the instance's row until that COMMIT.
with raised as (
    update {schema}.instances as i
    set mail = i.mail + 1
    where i.key = $2::uuid and i.owner = $1::integer
      and exists (select from {schema}.nodes where fence = $1::integer and status = 'alive')
      and not exists (select from {schema}.inbox as x where x.instance = $2::uuid and x.kind = 'step' and x.message = $3)
    returning i.mail
)
insert into {schema}.inbox (instance, number, kind, name, message, payload)
select $2::uuid, raised.mail, 'step', $4, $3, $5::json from raised
returning number
