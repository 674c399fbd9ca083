-- What steps left behind whose node died while their instance ended elsewhere.
delete from {schema}.progress as kept
where not exists (select from {schema}.instances where key = kept.instance and ended_at is null)
