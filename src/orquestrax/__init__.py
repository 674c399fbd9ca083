"""OrquestraX."""
