from everloop.engine.gate cimport Gate

cdef Gate default_gate  # whoever makes the default loop is in its section
