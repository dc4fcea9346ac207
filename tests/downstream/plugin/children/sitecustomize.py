"""Makes a process that a suite has started use the loop under test, too.

Its directory is in PYTHONPATH for the suites whose children are part of what they test.
"""

import os

# Pytest's own process sets this for its children, and uses the loop by the plugin.
if "DOWNSTREAM_LOOP" in os.environ:
    from loop_under_test import use

    use(os.environ["DOWNSTREAM_LOOP"], filter(None, os.environ["DOWNSTREAM_REPLACES"].split(",")))
