select name, version, digest, input_schema::text, output_schema::text, doc, file, line, source, registered_at, timeout,
       exists (select from {schema}.nodes as n where n.status = 'alive' and d.name = any(n.definitions)
               and n.seen_at > {schema}.now() - make_interval(secs => $2)) as served
from {schema}.definitions as d
where $1::text is null or name = $1
order by name, version desc
