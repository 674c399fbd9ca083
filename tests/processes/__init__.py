"""Steps in child processes: real ones, killed and crashed in every way."""
