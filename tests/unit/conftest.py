"""What all tests without a database share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes, and how long it takes to make one, is the machine's, not the code's.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
