"""Pure functions from rows to what templates show: no requests, no database, no clock of their own."""
