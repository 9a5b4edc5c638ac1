"""The mark of tests that start a Ray cluster."""

import pytest

# What the cluster leaves to the garbage collector, and its own advice, is no matter of ours.
_WARNINGS = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def on_ray(test):
    """A test that starts a Ray cluster."""
    return pytest.mark.ray(_WARNINGS(test))
