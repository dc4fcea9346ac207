"""A plugin of pytest's that does what tornado's own test runner does before the tests."""

import logging

# Tests that look for unexpected messages mean none of these.
logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
