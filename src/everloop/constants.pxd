# The one place where the numeric values live: C constants for the compiled
# modules and, through cpdef, the Python names of everloop.constants.

cpdef enum:
    # What happened: the bits of a callback's revents.
    EV_UNDEF = -1
    EV_NONE = 0x00
    EV_READ = 0x01
    EV_WRITE = 0x02
    EV_IO = 0x01
    EV_TIMER = 0x00000100
    EV_TIMEOUT = 0x00000100
    EV_PERIODIC = 0x00000200
    EV_SIGNAL = 0x00000400
    EV_CHILD = 0x00000800
    EV_STAT = 0x00001000
    EV_IDLE = 0x00002000
    EV_PREPARE = 0x00004000
    EV_CHECK = 0x00008000
    EV_EMBED = 0x00010000
    EV_FORK = 0x00020000
    EV_CLEANUP = 0x00040000
    EV_ASYNC = 0x00080000
    EV_TREE = 0x00100000
    EV_CUSTOM = 0x01000000
    EV_ERROR = -0x80000000

    # How a loop is made: Loop(flags).
    EVFLAG_AUTO = 0x00000000
    EVFLAG_NOINOTIFY = 0x00100000
    EVFLAG_SIGNALFD = 0x00200000
    EVFLAG_NOSIGMASK = 0x00400000
    EVFLAG_NOTIMERFD = 0x00800000
    EVFLAG_NOENV = 0x01000000
    EVFLAG_FORKCHECK = 0x02000000

    # The kernel mechanisms; everloop has select, poll and epoll.
    EVBACKEND_SELECT = 0x00000001
    EVBACKEND_POLL = 0x00000002
    EVBACKEND_EPOLL = 0x00000004
    EVBACKEND_KQUEUE = 0x00000008
    EVBACKEND_DEVPOLL = 0x00000010
    EVBACKEND_PORT = 0x00000020
    EVBACKEND_LINUXAIO = 0x00000040
    EVBACKEND_IOURING = 0x00000080
    EVBACKEND_ALL = 0x000000FF
    EVBACKEND_MASK = 0x0000FFFF

    # Loop.start(flags).
    EVRUN_NOWAIT = 1
    EVRUN_ONCE = 2

    # Loop.stop(how).
    EVBREAK_CANCEL = 0
    EVBREAK_ONE = 1
    EVBREAK_ALL = 2

    # The names that these had before libev 4.
    EVLOOP_NONBLOCK = 1
    EVLOOP_ONESHOT = 2
    EVUNLOOP_CANCEL = 0
    EVUNLOOP_ONE = 1
    EVUNLOOP_ALL = 2

    # The range of priorities.
    EV_MINPRI = -2
    EV_MAXPRI = 2
