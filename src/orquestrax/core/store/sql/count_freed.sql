-- How much a declaration has freed, for people.
update {schema}.nodes set freed = $2, freed_tasks = $3 where fence = $1
