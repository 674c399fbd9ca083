-- What steps left behind whose node died while their instance ended elsewhere. A leader that was frozen between its last
-- look and this does nothing any more.
delete from {schema}.progress as kept
where not exists (select from {schema}.instances where key = kept.instance and ended_at is null)
  and exists (select from {schema}.leader where fence = $1 and until > {schema}.now())
