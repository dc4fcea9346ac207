"""A function of plain Python, which is not compiled.

CPython hands the GIL to a thread that has waited for it long enough, and runs signal
handlers, between the bytecodes of such functions only. To release the GIL for a moment
is worse than nothing: the thread that waits is woken, finds it taken again, and its
time starts anew.
"""

# From a file of its own it would take longer to import than anything else here.
breathe = eval("lambda: None")
