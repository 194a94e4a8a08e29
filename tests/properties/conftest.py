"""Hypothesis profiles: the same examples every time in CI, new ones on a laptop."""

import os

from hypothesis import HealthCheck, settings

# No deadline: a busy machine is not a failure.
settings.register_profile(
    "laptop", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("laptop"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("laptop"), max_examples=5000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "laptop")
)
