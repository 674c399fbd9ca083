select number, kind, name, message, payload::text, sent_at from {schema}.inbox where instance = $1 order by number
