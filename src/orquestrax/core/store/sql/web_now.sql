select {schema}.now() as now
