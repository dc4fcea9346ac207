"""What tools see and replace of an asyncio loop's selector and its queue of calls.

asyncio's loops wait by ``loop._selector.select(timeout)``. Ours do not; but a program that
puts a ``select`` of its own there, or a selector, is asked in place of the kernel, and so
drives the loop's time and its waits. It may call the ``select`` that was there before,
which waits as the loop itself does.
"""

from collections import deque
from collections.abc import MutableSequence
from contextlib import contextmanager
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey

# Seconds, as asyncio has it.
LONGEST_SELECT = 24 * 3600


class Selecting:
    """The part of EventLoop that has a selector."""

    @property
    def _selector(self):
        return self.__dict__["_selector"]

    @_selector.setter
    def _selector(self, selector):
        self.__dict__["_selector"] = selector
        own = type(selector) is Selector and "select" not in vars(selector)
        self._drive(None if own else selector)

    def _process_events(self, events):
        """What select() found is pending: serve it."""
        for key, mask in events:
            if type(key.data) is not Handles:
                self._call_foreign(key, mask)
        self.invoke()

    def _call_foreign(self, key, events):
        """Of a selector that somebody else has put there."""
        reader, writer = key.data
        for handle, event in (reader, EVENT_READ), (writer, EVENT_WRITE):
            if events & event and handle is not None and not handle.cancelled():
                self._add_callback(handle)


class Handles(tuple):
    """The reader and the writer of a key that is the loop's own."""

    __slots__ = ()


class Selector:
    """A view of the descriptors that a loop watches, with a select() that may be replaced."""

    def __init__(self, loop):
        # Not the loop itself: it would be kept by its own view.
        self._watched = loop._watched_descriptors
        self._poll = loop._poll
        self._drive = loop._drive

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "select":
            self._drive(self)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        if name == "select":
            self._drive(None)

    def select(self, timeout=None):
        """Wait for at most timeout seconds, for ever if None, 0: do not wait.

        Returns a list of pairs: a SelectorKey, and the events that it is ready for. The loop
        serves them in its turn.
        """
        ready = self._poll(timeout)
        watched = self._watched() if ready else {}
        return [(key_of(fd, *watched.get(fd, (None, None))), events) for fd, events in ready]

    def get_map(self):
        """Descriptors and the SelectorKey of each."""
        return {fd: key_of(fd, *handles) for fd, handles in self._watched().items()}

    def get_key(self, fileobj):
        """The SelectorKey of a descriptor. Raises KeyError if it is not watched."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self.get_map()[fd]

    def close(self):
        """Nothing: the loop's kernel side is closed with the loop."""


def key_of(fd, reader, writer):
    wanted = (EVENT_READ if reader is not None else 0) | (EVENT_WRITE if writer is not None else 0)
    return SelectorKey(fd, fd, wanted, Handles((reader, writer)))


class ReadyCalls(MutableSequence):
    """The calls that are ready, as tools see and change them: a deque of handles."""

    maxlen = None

    def __init__(self, queue, take, put):
        self._calls = queue
        self._put_back = put
        self.popleft = take

    def __len__(self):
        return len(self._calls)

    def __iter__(self):
        return iter(self._calls)

    def __getitem__(self, place):
        return list(self._calls)[place]

    def __repr__(self):
        return f"{type(self).__name__}({list(self)!r})"

    def __setitem__(self, place, handle):
        with self._changing() as calls:
            calls[place] = handle

    def __delitem__(self, place):
        with self._changing() as calls:
            del calls[place]

    def insert(self, place, handle):
        """Have the call of a handle made before the one that has that place."""
        with self._changing() as calls:
            calls.insert(place, handle)

    def index(self, handle, *bounds):
        """The place of a handle; raises ValueError if it is not there."""
        return self.copy().index(handle, *bounds)

    def remove(self, handle):
        """Have the call of a handle not made; raises ValueError if it is not there."""
        with self._changing() as calls:
            calls.remove(handle)

    def __reversed__(self):
        return reversed(self.copy())

    def append(self, handle):
        """Have the call of a handle made after those that are ready."""
        self._put_back(handle)

    def appendleft(self, handle):
        """Have the call of a handle made before those that are ready."""
        self.insert(0, handle)

    def extendleft(self, handles):
        """The same for each of several handles, one after the other."""
        for handle in handles:
            self.appendleft(handle)

    def rotate(self, steps=1):
        """Have the last ones made first."""
        with self._changing() as calls:
            calls.rotate(steps)

    def reverse(self):
        """Have the calls made in the opposite order."""
        with self._changing() as calls:
            calls.reverse()

    def copy(self):
        """The handles in a deque of their own."""
        return deque(self)

    def clear(self):
        """Have none of them made."""
        while self:
            self.popleft()

    @contextmanager
    def _changing(self):
        """A deque of them, whose handles are those that are ready afterwards."""
        calls = self.copy()
        yield calls
        self.clear()
        for handle in calls:
            self._put_back(handle)
