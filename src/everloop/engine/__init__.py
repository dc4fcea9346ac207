"""The loop below its public face: a chain of classes, each the base of the next.

What it holds, its time, the kernel's side, waiting, calling back. Nothing here knows a kind
of watcher (``watchers``), a phase (``phases``), or a backend by name.
"""

# First of all, since it holds watchers, whose classes hold loops: whichever module of the
# chain is asked for, the rest of it finds its base here.
from everloop.engine import holding
