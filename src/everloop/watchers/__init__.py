"""The kinds of watchers, one file each.

A kind knows the loop as ``engine`` has it; it imports no backend and no phase.
"""
