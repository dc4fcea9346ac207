"""Descriptors: add_reader(), sock_recv() and their relatives, and selectors of tools.

To be imported from here: calls/ and what that may. Never transports/ or mixins/.
"""
