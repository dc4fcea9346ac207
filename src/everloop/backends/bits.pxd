# Between EV_READ and EV_WRITE and the bits of poll(2), which epoll's are, too: inline.
from everloop.constants cimport EV_READ, EV_WRITE
from everloop.sys.poll cimport POLLERR, POLLHUP, POLLIN, POLLOUT

cdef inline int to_kernel(int events) noexcept:
    """What to ask the kernel for."""
    return (POLLIN if events & EV_READ else 0) | (POLLOUT if events & EV_WRITE else 0)

cdef inline int from_kernel(int bits) noexcept:
    """What happened, by what the kernel says: hang-up and error are for both."""
    cdef int revents = 0
    if bits & (POLLIN | POLLERR | POLLHUP):
        revents = EV_READ
    if bits & (POLLOUT | POLLERR | POLLHUP):
        revents |= EV_WRITE
    return revents
