"""The constants of the watcher interface, with libev's numeric values.

The values are declared in ``constants.pxd``, which makes them C constants for
the compiled modules and plain ints of this module at once.
"""
