"""How long tests wait before they fail: slow builds and machines need more patience."""

import os

# EVERLOOP_TEST_PATIENCE=10 multiplies all limits by ten.
FACTOR = float(os.environ.get("EVERLOOP_TEST_PATIENCE", "1"))


def patient(seconds):
    """A limit in seconds, for the build and the machine that the tests run on."""
    return seconds * FACTOR
