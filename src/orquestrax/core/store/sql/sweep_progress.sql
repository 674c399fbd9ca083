-- What steps left behind whose node died while their instance ended elsewhere: each instance is looked up by its key,
-- however many there are. A leader that was frozen between its last look and this does nothing any more.
delete from {schema}.progress as kept
where (select i.ended_at is null from {schema}.instances as i where i.key = kept.instance) is not true
  and exists (select from {schema}.leader where fence = $1 and until > {schema}.now())
