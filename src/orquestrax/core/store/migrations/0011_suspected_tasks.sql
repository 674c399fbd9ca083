-- The node whose death `suspicion` of a step was last raised for: if it comes back, that is taken back.
alter table {schema}.tasks add column suspect_of integer;

create index tasks_suspects on {schema}.tasks (suspect_of) where suspicion > 0;
