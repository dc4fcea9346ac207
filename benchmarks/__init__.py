"""Benchmarks of everloop against other event loops: `python -m benchmarks`."""
