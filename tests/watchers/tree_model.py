"""A tree of files as the changes of a Tree lead to it, and programs that change one at random."""

import contextlib
import ctypes
import os
import random
import subprocess
import sys

DIRECTORY = (0, None)
UNREAD = "was not there"


class Replayed:
    """What is known of a tree by its changes alone: of each path (inode, contents).

    A file is read when a change of it is told. By then another may have taken its path, so one
    that is not the same after a move is read again; else a move does not change what is known.
    """

    def __init__(self, root):
        self.root = root
        self.files = dict(present(root))

    def apply(self, changes):
        for kind, path, old_path, is_directory in changes:
            if kind == "deleted":
                self.take(path)
            elif kind == "moved":
                self.take(path)
                taken = self.take(old_path)
                assert old_path in taken, f"{old_path} was not known, and moved to {path}"
                for name, known in taken.items():
                    now = path + name.removeprefix(old_path)
                    same = known == DIRECTORY or inode(now) == known[0]
                    self.files[now] = known if same else read(now)
            else:
                if kind == "created":
                    assert path not in self.files, f"{path} was there already"
                self.files[path] = DIRECTORY if is_directory else read(path)

    def take(self, path):
        """Remove a path and all below it; returns it."""
        taken = {
            name: known
            for name, known in self.files.items()
            if name == path or name.startswith(f"{path}/")
        }
        for name in taken:
            del self.files[name]
        return taken

    def differences(self):
        """What is known and what is there, of the paths for which that is not the same."""
        known = {path: contents for path, (_, contents) in self.files.items()}
        there = {path: contents for path, (_, contents) in present(self.root)}
        return {
            path: (known.get(path, "-"), there.get(path, "-"))
            for path in known.keys() | there.keys()
            if known.get(path, "-") != there.get(path, "-")
        }

    def check(self):
        assert not self.differences()


def present(root):
    for path, directories, files in os.walk(root):
        for name in directories + files:
            where = os.path.join(path, name)
            is_directory = os.path.isdir(where) and not os.path.islink(where)
            yield where, DIRECTORY if is_directory else read(where)


def inode(path):
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None


def read(path):
    """The inode and the contents of a file, or where a link leads."""
    number = inode(path)
    try:
        if os.path.islink(path):
            return number, os.readlink(path)
        with open(path) as file:
            return number, file.read()
    except OSError:
        return 0, UNREAD


NAMES = "abcd"
LIBC = ctypes.CDLL(None)


def change(rng, root, outside):
    """Something happens below root: whatever comes of it, in whatever order."""

    def some(top=root):
        """Something that is there, or what is above it if that is all."""
        path = top
        while rng.random() < 0.8:
            try:
                names = os.listdir(path)
            except OSError:
                break
            if not names:
                break
            path = os.path.join(path, rng.choice(sorted(names)))
        return path if path != top else new(top)

    def new(top=root):
        above = top
        while rng.random() < 0.4:
            above = os.path.join(above, rng.choice(NAMES))
        return os.path.join(above, rng.choice(NAMES))

    actions = {
        "write": lambda: write(rng.choice((some, new))(), "w", rng),
        "append": lambda: write(some(), "a", rng),
        "mkdir": lambda: os.mkdir(new()),
        "makedirs": lambda: os.makedirs(new()),
        "move": lambda: os.rename(some(), rng.choice((some, new))()),
        "out": lambda: os.rename(some(), new(outside)),
        "in": lambda: os.rename(some(outside), new()),
        "unlink": lambda: os.unlink(some()),
        "rmdir": lambda: os.rmdir(some()),
        "remove": lambda: remove(some()),
        "chmod": lambda: os.chmod(some(), rng.choice((0o700, 0o755))),
        "symlink": lambda: os.symlink(rng.choice(NAMES), new()),
        "exchange": lambda: exchange(some(), some()),
    }
    weights = (3, 3, 4, 2, 6, 1, 2, 2, 1, 1, 1, 1, 1)
    (action,) = rng.choices(list(actions), weights)
    with contextlib.suppress(OSError):
        actions[action]()


def write(path, mode, rng):
    with open(path, mode) as file:
        file.write(str(rng.randrange(10**6)))


def remove(top):
    """As rm -r does it."""
    for path, directories, files in os.walk(top, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in directories:
            where = os.path.join(path, name)
            os.unlink(where) if os.path.islink(where) else os.rmdir(where)
    os.rmdir(top)


def exchange(one, other):
    """Two names change places, as by renameat2(RENAME_EXCHANGE)."""
    LIBC.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)


def start_changes(seed, count, root, outside):
    """The same in a process of its own, which is as fast as it can be."""
    command = [sys.executable, __file__, str(seed), str(count), str(root), str(outside)]
    return subprocess.Popen(command)


if __name__ == "__main__":
    seed, count, root, outside = sys.argv[1:]
    rng = random.Random(int(seed))
    for _ in range(int(count)):
        change(rng, root, outside)
