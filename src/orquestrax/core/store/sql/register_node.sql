-- One row per process start. The name that people see ends in the fence.
with next as (select nextval('{schema}.fences')::integer as fence)
insert into {schema}.nodes
    (fence, name, host, boot_id, home_id, pid, roles, queues, definitions, slots, release, lease, python, code)
select fence, $1 || '-' || fence, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 from next
returning fence, {schema}.now() as now
