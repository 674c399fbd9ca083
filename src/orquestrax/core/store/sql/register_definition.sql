insert into {schema}.definitions (name, version, digest, input_schema, output_schema, doc, file, line, source)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (name, version) do update
set digest = excluded.digest, input_schema = excluded.input_schema, output_schema = excluded.output_schema,
    doc = excluded.doc, file = excluded.file, line = excluded.line, source = excluded.source,
    registered_at = {schema}.now()
where definitions.digest <> excluded.digest
