from cpython.object cimport PyObject
from everloop.sys.threads cimport Lock

cdef struct Link:
    PyObject* gate
    Link* before
    Link* next

cdef Link* first
cdef Lock chain_lock

cdef class Gate:
    cdef Link link
