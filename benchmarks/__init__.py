"""Benchmarks of everloop's watchers against other event loops: `python -m benchmarks`."""
