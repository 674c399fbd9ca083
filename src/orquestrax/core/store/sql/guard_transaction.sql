-- Opens the transaction of a transactional step: until the row is gone again, COMMIT is refused.
insert into {schema}.transactions (instance, command) values ($1::uuid, $2::integer)
