"""What inotify tells of a tree is applied to what is known of it, event after event.

The kernel's order is kept. What is known may be ahead of it, as a directory that appeared was
read later than what the queue tells next: an event whose outcome is known already is no change.

The two ends of a move are two events. The kernel queues both while it holds the locks of both
directories, so nothing else that concerns their names comes between, and the first may be
applied together with the second as soon as that is there. One that has no second end yet, and
is the last that concerns its directory, holds up what follows for a moment; then it was a move
out of the tree.
"""

import cython
from cython.cimports.everloop.constants import EV_MAXPRI, EV_READ
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    inotify_event,
)
from cython.cimports.everloop.watchers.inodes.comparing import compare_all, compare_doubtful
from cython.cimports.everloop.watchers.inodes.known import (
    OTHER_ATTRIBUTES,
    OTHER_INODE,
    SAME,
    Difference,
    Known,
    KnownDirectory,
    difference,
    look_at,
)
from cython.cimports.everloop.watchers.inodes.survey import (
    ATTRIBUTES,
    CLOSED,
    MODIFIED,
    Survey,
)
from cython.cimports.everloop.watchers.timer import Timer, new_timer
from cython.cimports.libc.stdint import uint64_t
from cython.cimports.posix.unistd import read

OTHER_END_AFTER = 0.01  # seconds that the second end of a move may be late
LATEST = 16  # reads until all is compared though there is more to read

NAMED = cython.declare(cython.uint, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
LONGEST = cython.declare(cython.Py_ssize_t, 16 + 256)  # an event with a name as long as may be


@cython.cfunc
@cython.exceptval(-1, check=False)
def process(survey: Survey) -> cython.int:
    """Read once, apply what was read, and compare if something was missed.

    What is left in the queue makes the descriptor readable again.
    """
    in_doubt: cython.bint = len(survey.doubtful) > 0 or len(survey.suspect) > 0
    drained: cython.bint = read_events(survey)
    apply(survey)
    if survey.left or survey.ended:
        return 0
    if survey.lost:
        survey.late += 1
    survey.look_again()
    if (drained and not survey.events) or survey.late > LATEST:
        survey.late = 0
        if survey.lost:
            compare_all(survey)
        elif in_doubt:
            # No event that was queued by then has cleared it up.
            compare_doubtful(survey)
    if not survey.left:
        survey.look_again()
        wait_if_needed(survey)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def read_events(survey: Survey) -> cython.bint:
    """Append what the kernel tells to survey.events; returns whether that was all."""
    buffer: uint64_t[8192]
    start: cython.p_char = cython.cast(cython.p_char, buffer)
    header: cython.Py_ssize_t = cython.sizeof(inotify_event)
    place: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = read(survey.fd, buffer, cython.sizeof(buffer))
    events: list = survey.events
    arrivals: dict = survey.arrivals
    while place + header <= size:
        event: cython.pointer[inotify_event] = cython.cast(
            cython.pointer[inotify_event], start + place
        )
        place += header + event.len
        # Not so only if somebody has put another file under our descriptor.
        if place > size:
            break
        name: bytes = b""
        if event.len:
            name = cython.cast(bytes, cython.cast(cython.p_char, event.name))
        told: tuple = (event.wd, event.mask, event.cookie, name)
        events.append(told)
        if event.mask & IN_MOVED_TO:
            arrivals[event.cookie] = told
    return size + LONGEST <= cython.cast(cython.Py_ssize_t, cython.sizeof(buffer))


@cython.cfunc
@cython.exceptval(-1, check=False)
def apply(survey: Survey) -> cython.int:
    """Apply the events that were read, up to one that has to wait for its other end."""
    events: list = survey.events
    count: cython.Py_ssize_t = len(events)
    i: cython.Py_ssize_t = 0
    while i < count and not survey.left and not survey.ended:
        wd, mask, cookie, name = events[i]
        if mask & IN_MOVED_FROM and cookie not in survey.arrivals and must_wait(survey, i):
            break
        i += 1
        apply_one(survey, wd, mask, cookie, name)
    if not survey.left:
        survey.events = events[i:]
        survey.settled = max(0, survey.settled - i)
        survey.held = max(0, survey.held - i)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def must_wait(survey: Survey, place: cython.Py_ssize_t) -> cython.bint:
    """Whether the other end of the move at this place may still come."""
    i: cython.Py_ssize_t
    if place < survey.settled:
        return False
    wd: cython.int = survey.events[place][0]
    for i in range(place + 1, len(survey.events)):
        other: cython.int
        mask: cython.uint
        other, mask = survey.events[i][:2]
        if other == wd and mask & NAMED:
            return False
    return True


@cython.cfunc
@cython.exceptval(-1, check=False)
def wait_if_needed(survey: Survey) -> cython.int:
    """Come back soon, if there is something to wait for."""
    if not survey.events and not survey.doubtful and not survey.suspect:
        if survey.timer is not None:
            Timer.stop(survey.timer)
        return 0
    if survey.timer is None:
        survey.timer = new_timer(
            survey.loop, OTHER_END_AFTER, OTHER_END_AFTER, on_overdue, survey, EV_MAXPRI
        )
        survey.timer.flags |= INTERNAL
    if not survey.timer.flags & ACTIVE:
        survey.held = len(survey.events)
        Timer.start(survey.timer)
    return 0


def on_overdue(timer: Timer, revents):
    """Called by the internal Timer of a Survey: what was held then is not to wait longer."""
    survey: Survey = timer.data
    Timer.stop(timer)
    survey.settled = survey.held
    if survey.io is not None and survey.io.flags & ACTIVE:
        push(survey.loop.queue, survey.io, EV_READ)


@cython.cfunc
@cython.exceptval(-1, check=False)
def apply_one(
    survey: Survey, wd: cython.int, mask: cython.uint, cookie: object, name: bytes
) -> cython.int:
    if mask & IN_Q_OVERFLOW:
        survey.lost = True
        return 0
    if wd == survey.above and mask & IN_DELETE and survey.base.endswith(b"/" + name + b"/"):
        return end_if_gone(survey)
    if mask & IN_MOVED_TO and survey.arrivals.pop(cookie, None) is None:
        return 0  # done together with its other end
    directory: KnownDirectory = survey.watched.get(wd)
    if directory is None:
        return 0
    if not name:
        return apply_to_itself(survey, directory, mask)
    if mask & (IN_CREATE | IN_MOVED_TO):
        return appeared(survey, directory, name, mask & IN_ISDIR != 0)
    if mask & IN_MOVED_FROM:
        return moved(survey, directory, name, cookie)
    if name not in directory.entries:
        return 0
    if mask & IN_DELETE:
        return survey.vanish(directory, name)
    known: Known = directory.entries[name]
    place: bytes = survey.prefix_of(directory) + name
    is_directory: cython.bint = isinstance(known, KnownDirectory)
    survey.touch(directory, name, known)
    if mask & IN_MODIFY:
        survey.report(MODIFIED, place, is_directory, None)
    if mask & IN_CLOSE_WRITE:
        survey.report(CLOSED, place, is_directory, None)
    if mask & IN_ATTRIB:
        survey.report(ATTRIBUTES, place, is_directory, None)
        if is_directory:
            return open_again(survey, known)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def apply_to_itself(survey: Survey, directory: KnownDirectory, mask: cython.uint) -> cython.int:
    """An event of the directory, and not of something in it: those above tell of most."""
    is_root: cython.bint = directory is survey.root
    if mask & IN_IGNORED:
        survey.watched.pop(directory.wd, None)
        directory.wd = -1
        if is_root:
            return survey.end()
        # It was deleted, of which the one above tells; or its file system was unmounted.
        survey.doubtful[directory.parent] = True
    elif is_root and mask & IN_DELETE_SELF:
        survey.end()
    elif is_root and mask & IN_MOVE_SELF:
        end_if_gone(survey)
    elif is_root and mask & IN_ATTRIB:
        survey.report(ATTRIBUTES, b"", True, None)
        survey.root.look(survey.location)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def end_if_gone(survey: Survey) -> cython.int:
    now: Known = look_at(survey.location)
    if now is None or difference(survey.root, now) == OTHER_INODE:
        survey.end()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def open_again(survey: Survey, directory: KnownDirectory) -> cython.int:
    """The attributes of a directory have changed: perhaps it may be read now."""
    if directory.wanted and directory.wd < 0:
        survey.descend(directory)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def appeared(
    survey: Survey, directory: KnownDirectory, name: bytes, is_directory: cython.bint
) -> cython.int:
    """Something was made in a directory, or moved there from outside."""
    known: Known = directory.entries.get(name)
    if known is not None and is_known(survey, directory, name, known):
        return 0
    if survey.left:
        return 0
    if name in directory.entries:
        survey.vanish(directory, name)
    kind: object = KnownDirectory if is_directory else Known
    known = kind.__new__(kind)
    if survey.enter(directory, name, known):
        survey.descend(known)
    else:
        survey.touch(directory, name, known)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def is_known(survey: Survey, directory: KnownDirectory, name: bytes, known: Known) -> cython.bint:
    """Whether what appeared has been found before, when its directory was read."""
    place: bytes = survey.prefix_of(directory) + name
    now: Known = look_at(survey.base + place)
    if now is None:
        return True  # it has gone again, which will be told
    found: Difference = difference(known, now)
    if found == OTHER_INODE:
        return False
    if isinstance(known, KnownDirectory):
        # Another one may have got the same number.
        wd: cython.int = cython.cast(KnownDirectory, known).wd
        if cython.cast(KnownDirectory, known).wanted:
            survey.watch(known)
        return wd == cython.cast(KnownDirectory, known).wd
    if found != SAME:
        survey.report(ATTRIBUTES if found == OTHER_ATTRIBUTES else MODIFIED, place, False, None)
        survey.touch(directory, name, known)
    return True


@cython.cfunc
@cython.exceptval(-1, check=False)
def moved(survey: Survey, directory: KnownDirectory, name: bytes, cookie: object) -> cython.int:
    """Something was moved away from a directory, within the tree or out of it."""
    arrival: tuple = survey.arrivals.pop(cookie, None)
    is_known_here: cython.bint = name in directory.entries
    target: KnownDirectory = None
    if arrival is not None:
        target = survey.watched.get(arrival[0])
    if target is None:
        # Or it was exchanged with what is there now.
        survey.suspect.append((directory, name))
        return survey.vanish(directory, name) if is_known_here else 0
    if is_known_here:
        return survey.move(directory, name, target, arrival[3])
    return appeared(survey, target, arrival[3], arrival[1] & IN_ISDIR != 0)
