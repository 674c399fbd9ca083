-- The worker that died with a step in its hands: who takes it next says so, for people.
alter table {schema}.tasks add column lost_worker integer;

alter table {schema}.takeovers add column steps integer not null default 0;
