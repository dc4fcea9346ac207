from everloop.queues.entry cimport Entry

cdef class Roster:
    cdef list seats          # watchers in the order of boarding; None where one has left
    cdef unsigned int* since # for each seat when it was taken
    cdef Py_ssize_t room     # how many seats there is memory for
    cdef Py_ssize_t empty    # seats among the others that were left

    cdef int reserve(self) except -1
    cdef list watchers(self)
    cdef list shown(self)
    cdef Py_ssize_t aboard(self) noexcept
    cdef int verify(self) except -1

cdef int add_seats(Roster roster) except -1
cdef int leave_gap(Roster roster, Py_ssize_t seat) except -1
