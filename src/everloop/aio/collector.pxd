cdef class Collector:
    cdef Collector next_collector  # in the loop's chain of those that have collected
    cdef bint chained              # in that chain

    cdef int send_collected(self) except -1
