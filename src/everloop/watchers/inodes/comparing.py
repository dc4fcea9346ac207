"""What is known of a tree is compared with what is there, and the differences are told.

That is done after the kernel's queue had no room for some event, in a forked child, and in the
few directories where events alone left a doubt. What is there is ahead of what the queue will
tell: that is met where events are applied.

What has vanished is told last, as a directory may turn up where is compared later.
"""

import cython
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
from cython.cimports.everloop.watchers.inodes.survey import ATTRIBUTES, MODIFIED, Survey


@cython.cfunc
@cython.exceptval(-1, check=False)
def compare_all(survey: Survey) -> cython.int:
    survey.doubtful = {}
    survey.suspect = []
    root: Known = look_at(survey.location)
    if root is None or difference(survey.root, root) == OTHER_INODE:
        return survey.end()
    compare(survey, [survey.root], True)
    if survey.root.wd < 0 and not survey.left:
        survey.end()
    # What failed on the way was raised, and is still to be done.
    survey.lost = False
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def compare_doubtful(survey: Survey) -> cython.int:
    """Compare the directories that something was odd about."""
    doubtful: dict = survey.doubtful
    suspect: list = survey.suspect
    survey.doubtful = {}
    survey.suspect = []
    for directory, name in suspect:
        if survey.holds(directory) and is_other(survey, directory, name):
            # Names were exchanged, which is rare: events after that were taken for others'.
            return compare_all(survey)
    return compare(survey, list(doubtful), False) if doubtful else 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def is_other(survey: Survey, directory: KnownDirectory, name: bytes) -> cython.bint:
    """Whether there is something else than is known, or the directory is not where it was."""
    there: Known = look_at(survey.location_of(directory))
    if there is None or difference(directory, there) == OTHER_INODE:
        return True
    known: Known = directory.entries.get(name)
    now: Known = look_at(survey.base + survey.prefix_of(directory) + name)
    if known is None or now is None:
        return known is not now
    return difference(known, now) == OTHER_INODE


@cython.cfunc
@cython.exceptval(-1, check=False)
def compare(survey: Survey, directories: list, deep: cython.bint) -> cython.int:
    comparison: Comparison = Comparison.__new__(Comparison)
    comparison.survey = survey
    comparison.deep = deep
    comparison.todo = directories
    comparison.gone = []
    comparison.watched = {}
    known: KnownDirectory
    for known in survey.watched.values():
        comparison.watched[known.device, known.inode] = known
    return comparison.run()


@cython.final
@cython.cclass
class Comparison:
    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run(self) -> cython.int:
        survey: Survey = self.survey
        while self.todo and not survey.left:
            directory: KnownDirectory = self.todo.pop()
            if survey.holds(directory) and self.is_here(directory):
                self.entries(directory)
        for parent, name, known in self.gone:
            if survey.left:
                break
            source: KnownDirectory = parent
            if survey.holds(source) and source.entries.get(name) is known:
                survey.vanish(source, name)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def is_here(self, directory: KnownDirectory) -> cython.bint:
        """Watch a directory anew; returns whether it can be compared."""
        survey: Survey = self.survey
        if survey.watch(directory):
            return True
        parent: KnownDirectory = directory.parent
        if survey.left or directory.shut or parent is None:
            return False
        if not survey.doubtful.pop(directory, False):
            # Not there, or not now: to be tried again, when more is known of those above.
            survey.doubtful[directory] = True
            survey.doubtful[parent] = True
            return False
        name: bytes = directory.name
        now: Known = look_at(survey.location_of(directory))
        other: KnownDirectory = None if now is None else self.moved_here(now)
        if other is None:
            directory.shut = True  # a mount shows it in a second place, say
            return False
        survey.vanish(parent, name)
        self.take_over(other, parent, name)
        return False

    @cython.cfunc
    def moved_here(self, now: Known) -> KnownDirectory:
        """The known directory that this one is, if it is no longer where it was; or None."""
        other: KnownDirectory = self.watched.get((now.device, now.inode))
        if other is None or not self.survey.holds(other):
            return None
        there: Known = look_at(self.survey.location_of(other))
        if there is not None and difference(there, now) != OTHER_INODE:
            return None
        return other

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take_over(self, other: KnownDirectory, parent: KnownDirectory, name: bytes) -> cython.int:
        """A known directory is in another place now."""
        survey: Survey = self.survey
        if survey.left or not survey.holds(parent):
            return 0
        if not survey.holds(other):
            survey.doubtful[parent] = True
            return 0
        survey.move(other.parent, other.name, parent, name)
        if other.wanted:
            self.todo.append(other)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def entries(self, directory: KnownDirectory) -> cython.int:
        survey: Survey = self.survey
        names: list = survey.names_in(directory)
        if names is None:
            return 0
        present: set = set(names)
        for name, known in list(directory.entries.items()):
            if name not in present:
                self.gone.append((directory, name, known))
        for name in names:
            if survey.left or not survey.holds(directory):
                return 0
            now: Known = look_at(survey.base + survey.prefix_of(directory) + name)
            if now is not None:
                self.entry(directory, name, now)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def entry(self, directory: KnownDirectory, name: bytes, now: Known) -> cython.int:
        survey: Survey = self.survey
        known: Known = directory.entries.get(name)
        if known is None:
            return self.new_entry(directory, name, now)
        changed: Difference = difference(known, now)
        if changed == OTHER_INODE:
            survey.vanish(directory, name)
            return self.new_entry(directory, name, now)
        is_directory: cython.bint = isinstance(known, KnownDirectory)
        if changed != SAME:
            place: bytes = survey.prefix_of(directory) + name
            survey.report(
                ATTRIBUTES if changed == OTHER_ATTRIBUTES else MODIFIED, place, is_directory, None
            )
            known.look(survey.base + place)
        if is_directory:
            inner: KnownDirectory = known
            if inner.wanted and (self.deep or (inner.wd < 0 and not inner.shut)):
                self.todo.append(inner)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def new_entry(self, directory: KnownDirectory, name: bytes, now: Known) -> cython.int:
        """Something that is not known there: new, or a directory that was elsewhere."""
        if isinstance(now, KnownDirectory):
            other: KnownDirectory = self.moved_here(now)
            if other is not None:
                return self.take_over(other, directory, name)
        if self.survey.enter(directory, name, now):
            self.todo.append(now)
        return 0
