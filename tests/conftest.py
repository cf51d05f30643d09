"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The machine is shared with other work, so the time that one example takes says nothing about the code.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")
