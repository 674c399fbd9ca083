-- Pauses and resumes are orders, too: of an instance without an owner any engine node carries them out.
drop index {schema}.inbox_orders;

create index inbox_orders on {schema}.inbox (instance) where kind in ('cancel', 'terminate', 'pause', 'resume');
