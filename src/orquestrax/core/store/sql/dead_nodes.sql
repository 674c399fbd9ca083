-- Names and last signs of life.
select fence, name, seen_at from {schema}.nodes where fence = any($1::integer[]) order by fence
