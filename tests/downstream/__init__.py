"""The own test-suites of projects that live on asyncio, run on everloop: ``python -m tests.downstream``.

Each project (``projects.py``) is pinned and has a virtual environment of its own. Its suite runs
on asyncio's loop and on everloop's, unchanged: a plugin of pytest's (``plugin/``) sets the loop.
What passes on asyncio and fails on everloop three times of three is a fault; the known ones are
in ``expectations.toml``, each with its reason, and one that has come to pass is a fault too.
"""
