-- Whether a transactional step has committed: its result waits in the inbox, or is history already. No locks.
select exists (select from {schema}.inbox where instance = $1 and kind = 'step' and message = $2)
    or exists (select from {schema}.events
               where instance = $1 and type = 'step_completed' and (data->>'command')::integer = $3) as there
