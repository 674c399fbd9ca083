-- Appends to histories. Locks nothing but the new rows: ownership cannot change while the fence is held.
insert into {schema}.events (instance, seq, type, at, issued, trail, data)
select instance, seq, type, timestamptz 'epoch' + at * interval '1 microsecond', issued, trail, data::json
from unnest($2::text::uuid[], $3::text::integer[], $4::text::text[], $5::text::bigint[], $6::text::integer[], $7::text::bigint[],
            string_to_array($8, chr(30), ''))
    as event (instance, seq, type, at, issued, trail, data)
where exists (select from {schema}.nodes where fence = $1 and status = 'alive')
