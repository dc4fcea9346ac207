"""Tree: something below a directory has changed.

An active Tree has a Survey (see inodes/), which the kernel tells what happens. Each Survey has
a descriptor of inotify's of its own, and so a queue of its own: a storm in one tree makes no
other watcher look at everything again, and all that is watched is given up at once. Stat
watchers share one, since they are many and have few inodes each.

Who owns what: the loop owns the active Trees and the internal Io and Timer of their surveys.
"""

import os

import cython
from cython.cimports.everloop.arguments import path_of
from cython.cimports.everloop.constants import EV_READ, EV_TREE, EVFLAG_NOINOTIFY
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.failures import describe
from cython.cimports.everloop.engine.inline import enter_loop_of, unable
from cython.cimports.everloop.queues.entry import ACTIVE
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_inactive,
    check_new,
    make_able,
    wanted_callback,
)
from cython.cimports.everloop.watchers.inodes.applying import process
from cython.cimports.everloop.watchers.inodes.survey import Survey

from everloop.errors import Error


@cython.cclass
class Tree(Watcher):
    """Tree(path, loop, callback=None, data=None, priority=0, *, filter=None)\n--\n
    Calls back when something below a directory has changed: `changes` says what.

    Everything below it counts, in directories that are made or moved there later, too.
    Of these all that is in them is told, and nothing that happens in them is missed.
    Symbolic links are not followed: a link is a file like others. The path itself may
    lead over some; where it leads is settled when the watcher is started.

    The kernel tells of each change (inotify). If it loses some because they come faster
    than they are read, all is compared with what was there before, and the differences
    are told. So `changes`, applied one after the other, always lead to what is there.

    When the directory itself is deleted, moved away or unmounted, that is the last change:
    the watcher has stopped by then. Start it again once there is such a directory.

    path: str, bytes or os.PathLike. A relative one means what it meant when given.
    filter: called with the path of each directory below it that is found or moved, returns
    whether to descend into it. Changes of those left out are told, but not what is in them.

    Raises TypeError for what is not a path or a filter, ValueError for an empty path or one
    with a null character in it, Error in a loop that is not to use inotify.
    """

    def __init__(
        self,
        path,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
        *,
        filter: object = None,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        given, location = path_of(path)
        check_filter(filter)
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        if cython.cast(CallingLoop, loop).flags & EVFLAG_NOINOTIFY:
            raise Error("a Tree needs inotify, which the loop's EVFLAG_NOINOTIFY rules out")
        assign(self, given, location, filter)
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Read what there is, and watch from now on; does nothing if active. Thread-safe.

        Raises OSError if the path is no directory that may be read, or if one of inotify's
        limits is reached; its message names the sysctl to raise.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        survey: Survey = new_survey(self)
        try:
            survey.begin()
            loop.check_open()
        except BaseException:
            survey.leave()
            raise
        # Another thread, or the filter, may have started it meanwhile.
        if self.flags & ACTIVE:
            survey.leave()
            return
        self.survey = survey
        try:
            make_able(self)
            loop.activate(self)
        except BaseException:
            survey.leave()
            raise

    @cython.always_allow_keywords(False)
    def stop(self):
        """Watch no longer, and forget what has not been taken. Thread-safe."""
        section: Section
        enter_loop_of(cython.address(section), self)
        survey: Survey = self.survey
        self.survey = None
        if survey is not None:
            survey.leave()
        if self.flags & ACTIVE:
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)

    def set(self, path, *, filter=None) -> None:
        """Watch another directory, or with another filter; as in the constructor.

        Raises Error while the watcher is active.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        given, location = path_of(path)
        check_filter(filter)
        check_inactive(self, "set() can't be called")
        assign(self, given, location, filter)

    def changes(self) -> tuple:
        """Take the changes that were found since the last call, each a `TreeChange`.

        In the order in which they happened. What happens again and again, as
        "modified", is told once until it is taken. If they are not taken, some 65,536 are
        kept; then no more are read until these are taken, and the kernel keeps what it can.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        return () if self.survey is None else self.survey.take()

    @property
    def path(self):
        """The path as given, str or bytes. Read only."""
        return self._path

    @property
    def filter(self):
        """What says which directories to descend into, or None. Read only."""
        return self._filter

    @property
    def unwatched(self) -> tuple:
        """Directories that can't be watched, as they may not be read, say. Read only."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return () if self.survey is None else self.survey.unwatched()

    def _describe(self) -> str:
        return f"path={self._path!r}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_filter(filter: object) -> cython.int:
    if filter is not None and not callable(filter):
        raise TypeError(f"filter must be callable or None, not {type(filter).__name__}")
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def assign(self: Tree, path: object, location: bytes, filter: object) -> cython.int:
    self._path = path
    self.location = location
    self._filter, filter = filter, self._filter
    return 0


@cython.cfunc
def new_survey(self: Tree) -> Survey:
    survey: Survey = Survey(self.loop, on_tree)
    survey.watcher = self
    survey.filter = self._filter
    survey.text = isinstance(self._path, str)
    survey.given = os.fsencode(self._path)
    survey.given_base = survey.given if survey.given.endswith(b"/") else survey.given + b"/"
    survey.location = self.location
    return survey


def on_tree(io: Watcher, revents):
    """Called by the internal Io of a Survey."""
    survey: Survey = io.data
    if survey.busy or survey.left or survey.io is not io:
        return
    loop: CallingLoop = io.loop
    if survey.inherited():
        survey.renew()
        return
    # Until all is done, for which there may be no memory, there is more to do.
    push(loop.queue, io, EV_READ)
    survey.busy = True
    try:
        process(survey)
    except BaseException as error:
        survey.lost = True
        if error is not survey.refusal:
            raise
    finally:
        survey.busy = False
    if survey.refusal is not None:
        refuse(survey)
    elif not survey.left:
        deliver(survey)
        loop.queue.take_back(io)


@cython.cfunc
@cython.exceptval(-1, check=False)
def deliver(survey: Survey) -> cython.int:
    """Queue the Tree if there is something to be told."""
    tree: Tree = survey.watcher
    loop: CallingLoop = survey.loop
    if survey.ended:
        survey.leave()
        if tree.flags & ACTIVE:
            loop.deactivate(tree)
    if survey.changes:
        loop.feed(tree, EV_TREE)
    return survey.pause()


@cython.cfunc
@cython.exceptval(-1, check=False)
def refuse(survey: Survey) -> cython.int:
    """The Tree can't go on: whoever waits for it, or runs the loop, is told."""
    tree: Tree = survey.watcher
    loop: CallingLoop = survey.loop
    refusal: object = survey.refusal
    text: str = f"{refusal.strerror}: {describe(tree)} had to be stopped"
    error = OSError(refusal.errno, text, refusal.filename)
    Tree.stop(tree)
    if loop.told(tree, error):
        return 0
    raise error


# Descriptors that have to be made anew


@cython.cfunc
@cython.exceptval(check=False)
def is_of_tree(io: Watcher) -> cython.bint:
    """Whether an internal Io is that of a Tree's."""
    return isinstance(io._data, Survey)


@cython.cfunc
@cython.exceptval(-1, check=False)
def renew_tree(io: Watcher) -> cython.int:
    """Somebody closed the descriptor."""
    survey: Survey = io._data
    return survey.renew()


@cython.cfunc
@cython.exceptval(-1, check=False)
def renew_trees(loop: CallingLoop) -> cython.int:
    """In a forked child, or after reset(): what the old descriptors watch is the parent's."""
    for watcher in loop.roster.watchers():
        if isinstance(watcher, Tree):
            survey: Survey = cython.cast(Tree, watcher).survey
            if survey is not None and not survey.left:
                survey.renew()
    return 0
