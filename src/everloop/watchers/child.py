"""Child: a child process has ended, or was stopped or continued.

Two ways lead to a status:

- By pidfd, in any loop, for a watcher of one child's end: an internal Io watches
  the descriptor that stands for the child. One for all watchers of a child, in
  ``Loop.pidfds``, a dict by process id.
- By SIGCHLD, in the default loop only, for what a pidfd does not tell: any child's
  end (pid 0), and stopped and continued (trace). An internal Signal watcher runs
  while there are such watchers.

A status can be had only once, so it is taken only of children that are watched,
and then given to all the loop's watchers of that child. The active watchers are in
``Loop.children``, a list in the order of starting.
"""

import os

import cython
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.constants import EV_CHILD, EV_MAXPRI, EV_MINPRI, EV_READ, EV_SIGNAL
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.failures import warn
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL, STRAY, remove_from
from cython.cimports.everloop.queues.pending import reserve
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.signal import SIGCHLD
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.sys.wait import (
    P_PID,
    WCONTINUED,
    WEXITED,
    WIFCONTINUED,
    WIFSTOPPED,
    WNOHANG,
    WNOWAIT,
    WUNTRACED,
    pidfd_open,
    siginfo_t,
    waitid,
    waitpid,
)
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.internal.owned import OwnedDescriptor, own
from cython.cimports.everloop.watchers.io import Io, new_internal_io
from cython.cimports.everloop.watchers.signal import Signal
from cython.cimports.libc.errno import ENOSYS, EPERM, errno

from everloop.errors import Error


@cython.cclass
class Child(Watcher):
    """Child(pid, trace, loop, callback=None, data=None, priority=0)\n--\n
    Calls back when a child process has ended.

    pid: the child's process id; 0: any child of this process, which takes the
    status of every one, so that nobody else can wait for them.
    trace: also call back when the child is stopped or continued.

    pid 0 and trace need the default loop, which then handles SIGCHLD. Statuses of
    children that are not watched are left alone. The watcher stays active after
    its child has ended. Its events have the highest priority, whatever was asked.

    Raises ValueError for a negative pid, Error for pid 0 or trace in a loop that is
    not the default one.
    """

    def __init__(
        self,
        pid,
        trace,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = check_pid(pid)
        traced: cython.bint = bool(trace)
        if loop is not None:
            check_loop(number, traced, loop)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        self.pid = number
        self.extra = traced
        self.reported_pid = 0
        self.reported_status = 0
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Watch from now on; does nothing if active. A child that has ended is told of.

        Raises ChildProcessError if pid is not a child of this process, or its status
        has been taken already.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        loop.after_fork()
        by_fd: cython.bint = self.pid != 0 and not self.extra and watch_pidfd(self, loop)
        if not by_fd and not loop.is_default:
            raise Error("this kernel has no pidfd: only the default loop can watch children")
        if not by_fd and loop.reaper is None:
            watch_sigchld(loop)
        if self.flags & ACTIVE:
            return  # started by a finalizer meanwhile
        try:
            loop.children.append(self)
            if not by_fd:
                # What happened before it was watched sends no signal any more.
                cython.cast(Watcher, loop.reaper).feed(EV_SIGNAL)
            loop.activate(self)
        except BaseException:
            remove_from(loop.children, self)
            unwatch(self, loop)
            raise

    @cython.always_allow_keywords(False)
    def stop(self):
        """Watch no longer and take back a pending event."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            loop: CallingLoop = self.loop
            remove_from(loop.children, self)
            loop.deactivate(self)
            unwatch(self, loop)
        elif self.slot:
            self.loop.take_back(self)

    def set(self, pid, trace) -> None:
        """Watch another child; as in the constructor. Raises Error while active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        number: cython.int = check_pid(pid)
        traced: cython.bint = bool(trace)
        check_inactive(self, "set() can't be called")
        if self.loop is not None:
            check_loop(number, traced, self.loop)
        self.pid = number
        self.extra = traced

    @property
    def returncode(self):
        """The exit status, or minus the signal's number; None if the child has not ended.

        As subprocess.Popen.returncode, of the child that rpid names. Read only.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        status: cython.int = self.reported_status
        if self.reported_pid == 0 or os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
            return None
        return os.waitstatus_to_exitcode(status)

    @property
    def rpid(self) -> int:
        """The process id of the child that rstatus is of; 0 before the first event."""
        return self.reported_pid

    @rpid.setter
    def rpid(self, pid):
        section: Section
        enter_loop_of(cython.address(section), self)
        self.reported_pid = whole("rpid", pid)

    @property
    def rstatus(self) -> int:
        """The latest status, as os.waitpid() gives it."""
        return self.reported_status

    @rstatus.setter
    def rstatus(self, status):
        section: Section
        enter_loop_of(cython.address(section), self)
        self.reported_status = whole("rstatus", status)

    def _describe(self) -> str:
        return f"pid={self.pid}{' trace' if self.extra else ''}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_pid(pid: object) -> cython.int:
    number: cython.int = whole("pid", pid)
    if number < 0:
        raise ValueError(f"pid must be that of a process, or 0 for any child, not {pid!r}")
    return number


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_loop(pid: cython.int, trace: cython.bint, loop: CallingLoop) -> cython.int:
    if not loop.is_default and (pid == 0 or trace):
        raise Error("only the default loop can watch any child (pid 0), or trace one")
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def by_pidfd(self: Child, loop: CallingLoop) -> cython.bint:
    return self.pid != 0 and not self.extra and self.pid in loop.pidfds


@cython.cfunc
@cython.exceptval(-1, check=False)
def unwatch(self: Child, loop: CallingLoop) -> cython.int:
    """Stop the internal watcher that served this one last."""
    needs_sigchld: cython.bint = False
    pid_wanted: cython.bint = False
    other: Child
    for watcher in loop.children:
        other = watcher
        if not by_pidfd(other, loop):
            needs_sigchld = True
        elif other.pid == self.pid:
            pid_wanted = True
    if not pid_wanted:
        close_pidfd(loop, self.pid)
    if not needs_sigchld and loop.reaper is not None:
        reaper: Signal = loop.reaper
        loop.reaper = None
        reaper.stop()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def make_room(loop: CallingLoop) -> cython.int:
    """Before a status is taken: all that deliver() may need memory for."""
    return reserve(loop.queue, EV_MAXPRI - EV_MINPRI, cython.cast(cython.uint, len(loop.children)))


@cython.cfunc
@cython.exceptval(-1, check=False)
def deliver(loop: CallingLoop, pid: cython.int, status: cython.int) -> cython.int:
    """Give a status to all the loop's watchers of that child, those of any child first.

    Nothing here may fail, since the status can't be had again.
    """
    # The pending queue gives back the last one first.
    push_those_of(loop, pid, pid, status)
    return push_those_of(loop, 0, pid, status)


@cython.cfunc
@cython.exceptval(-1, check=False)
def push_those_of(
    loop: CallingLoop, wanted: cython.int, pid: cython.int, status: cython.int
) -> cython.int:
    running: cython.bint = WIFSTOPPED(status) or WIFCONTINUED(status)
    place: cython.Py_ssize_t = len(loop.children)
    while place:
        place -= 1
        child: Child = loop.children[place]
        if child.pid == wanted and (child.extra or not running):
            child.reported_pid = pid
            child.reported_status = status
            if child.slot == 0:
                child.rank = EV_MAXPRI - EV_MINPRI
            push(loop.queue, child, EV_CHILD)
    return 0


# By pidfd


@cython.cfunc
@cython.exceptval(-1, check=False)
def watch_pidfd(self: Child, loop: CallingLoop) -> cython.bint:
    """Have the child's pidfd watched; False if the kernel has none."""
    info: siginfo_t
    if self.pid in loop.pidfds:
        return True
    if waitid(P_PID, self.pid, cython.address(info), WEXITED | WNOHANG | WNOWAIT):
        raise ChildProcessError(
            errno, f"{os.strerror(errno)}: {self.pid} is not a child of this process"
        )
    fd: cython.int = loop.descriptors.apart(pidfd_open(self.pid))
    if fd < 0:
        if errno == ENOSYS or errno == EPERM:
            return False
        raise OSError(errno, f"{os.strerror(errno)}: no pidfd for child {self.pid}")
    owner: OwnedDescriptor = own(fd, self.pid)
    io: Io = new_internal_io(loop, fd, EV_READ, on_pidfd)
    io.data = owner
    loop.pidfds[self.pid] = io
    try:
        io.start()
    except BaseException:
        close_pidfd(loop, self.pid)
        raise
    return True


@cython.cfunc
@cython.exceptval(-1, check=False)
def close_pidfd(loop: CallingLoop, pid: object) -> cython.int:
    io: Io = loop.pidfds.pop(pid, None)
    if io is not None:
        Io.stop(io)
        cython.cast(OwnedDescriptor, io.data).close()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def renew_pidfd(loop: CallingLoop, io: Io) -> cython.int:
    """The pidfd was closed by somebody: have another one, or none if nobody wants it."""
    pid: cython.int = cython.cast(OwnedDescriptor, io.data).number
    child: Child
    close_pidfd(loop, pid)
    for child in loop.children:
        if child.pid == pid and not child.extra:
            watch_pidfd(child, loop)
            break
    return 0


def on_pidfd(io: Io, revents):
    """The child has ended: take its status."""
    status: cython.int = 0
    pid: cython.int = cython.cast(OwnedDescriptor, io.data).number
    loop: CallingLoop = io.loop
    loop.after_fork()
    key: object = pid
    if loop.pidfds.get(key) is not io:
        return  # it was the parent's child
    make_room(loop)
    if not io.flags & STRAY:
        loop.descriptors.mark_changed(io.fd, 0)
    taken: cython.int = waitpid(pid, cython.address(status), WNOHANG)
    if taken == 0:
        return
    if taken < 0:
        status = 255 << 8
        warn(f"the status of child {pid} was taken by somebody else: reported as 255")
    deliver(loop, pid, status)
    close_pidfd(loop, key)


@cython.cfunc
@cython.exceptval(-1, check=False)
def forget_children(loop: CallingLoop) -> cython.int:
    """In a forked child: the parent's children are none of ours."""
    for pid in list(loop.pidfds):
        close_pidfd(loop, pid)
    return 0


# By SIGCHLD


@cython.cfunc
@cython.exceptval(-1, check=False)
def watch_sigchld(loop: CallingLoop) -> cython.int:
    reaper: Signal = Signal(SIGCHLD, loop, on_sigchld, None, EV_MAXPRI)
    reaper.flags |= INTERNAL
    reaper.start()
    loop.reaper = reaper
    return 0


def on_sigchld(reaper: Signal, revents):
    """Take one status, and come again for more.

    One at a time: a watcher of several children has room for one status, and has to
    see it before the next.
    """
    loop: CallingLoop = reaper.loop
    status: cython.int = 0
    push(loop.queue, reaper, EV_SIGNAL)
    make_room(loop)
    pid: cython.int = next_status(loop, cython.address(status))
    if pid <= 0:
        loop.queue.take_back(reaper)
        return
    deliver(loop, pid, status)
    if not (WIFSTOPPED(status) or WIFCONTINUED(status)):
        close_pidfd(loop, pid)


@cython.cfunc
@cython.exceptval(-1, check=False)
def next_status(loop: CallingLoop, status: cython.p_int) -> cython.int:
    """Take a status of a watched child that has one; its process id, or 0."""
    child: Child
    pid: cython.int
    for watcher in loop.children:
        child = watcher
        if by_pidfd(child, loop):
            continue
        pid = waitpid(
            child.pid if child.pid else -1,
            status,
            WNOHANG | (WUNTRACED | WCONTINUED if child.extra else 0),
        )
        if pid > 0:
            return pid
    return 0
