"""What belongs to the process, not to one loop: whether it was forked, and its signals.

Nothing here knows a kind of watcher, a phase or a backend.
"""
