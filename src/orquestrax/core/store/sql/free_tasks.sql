update {schema}.tasks set worker = null, started_at = null, lane = 0, available_at = {schema}.now() where worker = $1
