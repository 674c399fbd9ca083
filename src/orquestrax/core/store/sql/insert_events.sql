-- Appends to histories. Locks nothing but the new rows: ownership cannot change while the fence is held.
insert into {schema}.events (instance, seq, type, at, issued, trail, data)
select * from unnest($2::uuid[], $3::integer[], $4::text[], $5::timestamptz[], $6::integer[], $7::bigint[], $8::json[])
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
