"""The epoll backend, and what it does about epoll's ways. See epoll(7).

epoll watches open files, not descriptors, which shows when descriptors are
closed, duplicated and reused:

- A closed descriptor leaves the set by itself, silently, unless a duplicate
  keeps the file open: then its events go on coming, and no call can remove it.
  So each registration carries a number, and an event with an old number means
  that the set holds something out of reach: it is made anew (``lost``).
- A descriptor that is closed and opened again between two passes looks like
  the old one. So whenever a watcher has been started, the kernel is asked, even
  if the events seem to be the same: EPOLL_CTL_MOD fails for a file that it does
  not know.
- A descriptor closed under an active watcher would just fall silent. `audit`
  asks the kernel for each, and is called from time to time.
- Removing is left until an event proves it necessary: a watcher that is stopped
  and started again in a later pass costs one call, and none if it is closed.
- Files that are always ready, such as regular files, are refused (EPERM). They
  are kept in a list, offered again before each poll, and reported after it.
- If more are ready than the buffer takes, the rest come first next time; the
  buffer grows all the same, since they would be a pass late.
- The loop's eventfd is watched for edges (EPOLLET): each write is told once, and
  the eventfd need not be read. Whoever writes has left something first that a pass
  looks at before it waits, so that nothing depends on the edge alone.
- The alarm is watched in the same way, and set anew without having been read. It costs
  nothing where a wait ends before it, as a time limit does.
- For each descriptor that is ready epoll_wait(2) takes much longer than poll(2), which
  asks about those that are not, too. So where all that is watched was ready, and is
  not much, `peek` asks by poll(2), until less than half of it is.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.everloop.backends.alarm import Alarm
from cython.cimports.everloop.backends.backend import Backend
from cython.cimports.everloop.backends.bits import from_kernel, to_kernel
from cython.cimports.everloop.clock import FOREVER, NANO, nanoseconds
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.queues.descriptors import Descriptor
from cython.cimports.everloop.queues.descriptors_inline import report
from cython.cimports.everloop.sys.epoll import (
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLET,
    EPOLLIN,
    SYS_epoll_pwait2,
    epoll_create1,
    epoll_ctl,
    epoll_event,
    epoll_wait,
    syscall,
)
from cython.cimports.everloop.sys.poll import POLLNVAL, poll
from cython.cimports.everloop.sys.process import F_GETFD, fcntl
from cython.cimports.libc.errno import EBADF, EEXIST, EINVAL, ENOENT, ENOSYS, EPERM, errno
from cython.cimports.libc.stdint import uint32_t, uint64_t
from cython.cimports.posix.time import timespec
from cython.cimports.posix.unistd import close


@cython.final
@cython.cclass
class EpollBackend(Backend):
    def __cinit__(self):
        self.silent = True
        self.wakes_once = True
        self.always_ready = []
        self.alarm = Alarm()
        self.events = new_buffer(FIRST_CAPACITY)
        if self.events == cython.NULL:
            raise MemoryError("no memory for events")
        self.capacity = FIRST_CAPACITY

    def __dealloc__(self):
        PyMem_RawFree(self.events)
        if self.fd >= 0:
            close(self.fd)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def open(self) -> cython.int:
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "the epoll backend can't be opened")
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watch_waker(self, fd: cython.int) -> cython.int:
        error: cython.int = self.watch_own(fd, WAKER)
        if error:
            raise OSError(error, "the epoll backend can't watch the loop's eventfd")
        self.wake_fd = fd
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def watch_own(self, fd: cython.int, name: cython.int) -> cython.int:
        """Watch a descriptor of the loop's for edges; returns 0 or an errno."""
        event: epoll_event
        event.events = EPOLLIN | EPOLLET
        event.data.u64 = cython.cast(uint32_t, name)
        return errno if epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, cython.address(event)) else 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def open_alarm(self) -> cython.void:
        if self.alarm.open(self.table) and self.watch_own(self.alarm.fd, ALARM):
            self.alarm.close()

    @cython.cfunc
    @cython.exceptval(check=False)
    def set_alarm(self, moment: nanoseconds, span: nanoseconds) -> cython.bint:
        done: cython.bint = self.alarm.set(span)
        self.alarm_at = moment if done else FOREVER
        return done

    @cython.cfunc
    @cython.exceptval(check=False)
    def close(self) -> cython.void:
        if self.fd >= 0:
            close(self.fd)
        self.fd = -1
        Backend.close(self)
        self.alarm.close()
        self.few_count = 0
        self.always_ready.clear()

    @cython.cfunc
    @cython.exceptval(check=False)
    def modify(self, fd: cython.int, old: cython.int, new: cython.int) -> cython.int:
        slot: cython.pointer[Descriptor] = cython.address(self.table.slots[fd])
        self.few_count = 0
        if slot.registered == ALWAYS_READY:
            self.always_ready.remove(fd)
            slot.registered = 0
        if new == 0:
            return 0
        error: cython.int = self.register(fd, new)
        if error == EPERM:
            self.always_ready.append(fd)
            slot.registered = ALWAYS_READY
            return 0
        return error

    @cython.cfunc
    @cython.exceptval(check=False)
    def waits_for(self, fd: cython.int) -> cython.bint:
        return self.table.slots[fd].registered != ALWAYS_READY

    @cython.cfunc
    @cython.exceptval(check=False)
    def restless(self) -> cython.bint:
        return len(self.always_ready) > 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def register(self, fd: cython.int, events: cython.int) -> cython.int:
        """Get fd into the kernel's set with these events, whether it is there or not."""
        slot: cython.pointer[Descriptor] = cython.address(self.table.slots[fd])
        error: cython.int = ENOENT
        if slot.registered:
            error = self.control(EPOLL_CTL_MOD, fd, events, slot.token)
        if error == ENOENT:
            slot.token += 1
            error = self.control(EPOLL_CTL_ADD, fd, events, slot.token)
            if error == EEXIST:
                error = self.control(EPOLL_CTL_MOD, fd, events, slot.token)
        if error:
            slot.token += 1
            slot.registered = 0
        else:
            slot.registered = events
        return error

    @cython.cfunc
    @cython.exceptval(check=False)
    def control(
        self, operation: cython.int, fd: cython.int, events: cython.int, token: uint32_t
    ) -> cython.int:
        """epoll_ctl(2); returns 0 or an errno."""
        event: epoll_event
        event.events = to_kernel(events)
        event.data.u64 = (cython.cast(uint64_t, token) << 32) | cython.cast(uint32_t, fd)
        return errno if epoll_ctl(self.fd, operation, fd, cython.address(event)) else 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def poll(self, timeout: nanoseconds, hold_gil: cython.bint) -> cython.int:
        if self.always_ready:
            self.offer_always_ready()
            if self.always_ready or self.refused_fd >= 0:
                timeout = 0
        ready: cython.int
        if hold_gil:
            ready = epoll_wait(self.fd, self.events, self.capacity, 0)
        else:
            with cython.nogil:
                ready = self.wait(timeout)
        self.woken = False
        if ready < 0:
            ready = self.failed(errno)
        i: cython.int
        for i in range(ready):
            self.report_event(cython.address(self.events[i]))
        if 0 < ready == self.table.linked:
            self.find_few(ready)
        if ready == self.capacity:
            self.enlarge()
        ready -= self.uncounted
        self.uncounted = 0
        if self.always_ready:
            ready += self.report_always_ready()
        return ready

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        limit: timespec
        ready: cython.int
        if timeout == 0:
            return epoll_wait(self.fd, self.events, self.capacity, 0)
        if timeout >= FOREVER:
            return epoll_wait(self.fd, self.events, self.capacity, -1)
        if not self.whole_milliseconds:
            limit.tv_sec = timeout // NANO
            limit.tv_nsec = timeout % NANO
            ready = syscall(
                SYS_epoll_pwait2,
                self.fd,
                self.events,
                self.capacity,
                cython.address(limit),
                cython.NULL,
                0,
            )
            if ready >= 0 or (errno != ENOSYS and errno != EPERM):
                return ready
            self.whole_milliseconds = True
        # Rounded up, or the loop would spin through the last millisecond.
        timeout = (timeout + 999999) // 1000000
        return epoll_wait(
            self.fd, self.events, self.capacity, timeout if timeout < 1 << 30 else 1 << 30
        )

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_event(self, event: cython.pointer[epoll_event]) -> cython.int:
        fd: cython.int = cython.cast(cython.int, cython.cast(uint32_t, event.data.u64))
        if fd < 0:
            self.report_own(fd)
            return 0
        if fd >= self.table.capacity:
            # Of another set, which somebody has put in the place of this one.
            self.lost = True
            return 0
        slot: cython.pointer[Descriptor] = cython.address(self.table.slots[fd])
        if slot.token != event.data.u64 >> 32:
            self.lost = True
            return 0
        if slot.wanted == 0:
            slot.registered = 0
            if self.control(EPOLL_CTL_DEL, fd, 0, 0):
                self.lost = True
            return 0
        return report(slot, from_kernel(event.events), self.pending)

    @cython.cfunc
    @cython.exceptval(check=False)
    def report_own(self, name: cython.int) -> cython.void:
        if name == WAKER:
            self.woken = True
        else:
            self.alarm_at = FOREVER
            self.uncounted += 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def find_few(self, ready: cython.int) -> cython.void:
        """After a poll that brought as many events as there are watchers.

        Where each is of a descriptor that is watched, those are all that are.
        """
        self.few_count = 0
        if ready > (1 if self.in_order else FEW) or self.lost:
            return
        i: cython.int
        for i in range(ready):
            fd: cython.int = cython.cast(cython.int, cython.cast(uint32_t, self.events[i].data.u64))
            if fd < 0:
                return
            slot: cython.pointer[Descriptor] = cython.address(self.table.slots[fd])
            if slot.wanted == 0 or slot.flags:
                return
            self.few[i].fd = fd
            self.few[i].events = to_kernel(slot.wanted)
        self.few_count = ready

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def peek(self) -> cython.int:
        count: cython.int = self.few_count
        ready: cython.int = -1
        if count and count == self.table.linked and not self.shown:
            ready = poll(self.few, count, 0)
        if ready < 0:
            return self.poll(0, True)
        self.woken = False
        if ready * 2 < count:
            self.few_count = 0
        i: cython.int
        for i in range(count):
            if self.few[i].revents & POLLNVAL:
                self.few_count = 0
                self.refuse(self.few[i].fd, EBADF)
            elif self.few[i].revents:
                report(
                    cython.address(self.table.slots[self.few[i].fd]),
                    from_kernel(self.few[i].revents),
                    self.pending,
                )
        return ready

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def offer_always_ready(self) -> cython.int:
        """Ask epoll again: the numbers may be those of other files by now, to be waited for."""
        number: cython.int
        for fd in self.always_ready.copy():
            number = fd
            slot: cython.pointer[Descriptor] = cython.address(self.table.slots[number])
            self.modify(number, slot.wanted, slot.wanted)
            if slot.registered == 0:
                self.refuse(number, EBADF)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def report_always_ready(self) -> cython.int:
        """Report the files that epoll refuses; their number."""
        number: cython.int
        for fd in self.always_ready:
            number = fd
            report(cython.address(self.table.slots[number]), EV_READ | EV_WRITE, self.pending)
        return cython.cast(cython.int, len(self.always_ready))

    @cython.cfunc
    @cython.exceptval(check=False)
    def audit(self) -> cython.int:
        fd: cython.int
        looked_at: cython.int = 0
        slot: cython.pointer[Descriptor]
        for fd in range(self.table.capacity):
            slot = cython.address(self.table.slots[fd])
            if slot.wanted == 0 or slot.registered == ALWAYS_READY or slot.flags:
                continue
            looked_at += 1
            error: cython.int = self.register(fd, slot.wanted)
            if error:
                self.lost = True
                self.refuse(fd, error)
        return looked_at

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check(self, fd: cython.int, error: cython.int) -> cython.int:
        if error == EBADF and fcntl(self.fd, F_GETFD) < 0:
            return self.failed(error)
        if error == EINVAL and fd != self.fd:
            return self.failed(error)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def check_alarm(self) -> cython.void:
        if self.alarm_at < FOREVER and not self.alarm.there():
            # Its number is not the loop's any more, and not to be closed by it.
            self.alarm.fd = -1
            self.alarm_at = FOREVER

    @cython.cfunc
    @cython.exceptval(check=False)
    def enlarge(self) -> cython.void:
        if self.capacity >= LARGEST_CAPACITY:
            return
        events = new_buffer(self.capacity * 4)
        if events == cython.NULL:
            return
        PyMem_RawFree(self.events)
        self.events = events
        self.capacity *= 4


@cython.cfunc
@cython.exceptval(check=False)
def new_buffer(capacity: cython.int) -> cython.pointer[epoll_event]:
    return cython.cast(
        cython.pointer[epoll_event],
        PyMem_RawMalloc(capacity * cython.sizeof(epoll_event)),
    )
