"""Mixins: a chapter each of asyncio's interface, in plain Python on what Core can do.

Compiled is socket_file only. To be imported from here: the loop of watchers, stdlib and
transports/. Never core, of which a mixin knows by self only.
"""
