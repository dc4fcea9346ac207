cdef object default_gate  # whoever makes the default loop is in its section
