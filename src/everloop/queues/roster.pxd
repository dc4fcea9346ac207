from everloop.queues.entry cimport Entry

cdef class Roster:
    cdef list seats          # watchers in the order of boarding, then None
    cdef Py_ssize_t room     # how many there are
    cdef Py_ssize_t taken    # seats up to and with the last one that is taken
    cdef Py_ssize_t empty    # seats among those that were left

    cdef int reserve(self) except -1
    cdef list watchers(self)
    cdef list shown(self)
    cdef int verify(self) except -1

cdef int add_seats(Roster roster) except -1
cdef int leave_gap(Roster roster, Py_ssize_t seat) except -1
