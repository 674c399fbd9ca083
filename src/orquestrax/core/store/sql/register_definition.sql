insert into {schema}.definitions (name, version, digest, input_schema, output_schema, doc, file, line, source, timeout)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (name, version) do update
set digest = excluded.digest, input_schema = excluded.input_schema, output_schema = excluded.output_schema,
    doc = excluded.doc, file = excluded.file, line = excluded.line, source = excluded.source,
    timeout = excluded.timeout,
    registered_at = {schema}.now()
where definitions.digest <> excluded.digest or definitions.timeout is distinct from excluded.timeout
