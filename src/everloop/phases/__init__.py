"""The pass of a loop, and what a pass asks of the kinds of watchers.

Only the public face (``loop``) and ``aio`` import this; watchers see the ``engine``.
"""
