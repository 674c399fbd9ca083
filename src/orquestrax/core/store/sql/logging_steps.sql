-- The steps of which there are records, by name, "" for the workflow itself.
select distinct step from {schema}.logs where instance = $1 order by step limit 200
