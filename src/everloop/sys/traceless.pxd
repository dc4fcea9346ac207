# When memory is out, there may be none for the traceback of an exception either, and what
# Cython makes of `except` drops its reference to the traceback without asking whether it
# has one. For whoever cimports this, directly or not, it asks.
cdef extern from *:
    """
    #undef Py_DECREF
    #define Py_DECREF(object) Py_XDECREF(object)
    """
