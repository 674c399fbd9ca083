insert into {schema}.nodes (name, host, boot_id, home_id, pid, roles, queues, definitions, slots, release)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning fence, {schema}.now() as now
