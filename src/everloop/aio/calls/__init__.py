"""Calls: handles, the queue of those that are ready, timers, and the turn that makes them.

To be imported from here: the loop of watchers, and stdlib. Not the other folders of aio/.
"""
