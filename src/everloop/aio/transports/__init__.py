"""Transports: streams, TLS, datagrams and listeners, one side or duty a file.

To be imported from here: descriptors/, calls/ and what those may. Never mixins/ or core.
"""
