"""Tree: what happens below a directory."""

import contextlib
import gc
import os
import pathlib
import random
import shutil
import tempfile
import threading
import weakref

import pytest
import tree_model
from patience import patient
from tree_model import Replayed

import everloop as ev

PATIENCE = patient(20.0)  # seconds until a test gives up


@pytest.fixture
def loop(new_loop, backend):
    return new_loop(backend)


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def outside(tmp_path):
    path = tmp_path / "outside"
    path.mkdir()
    return path


class Seen:
    """The callback of a Tree, which notes the changes, and replays them."""

    def __init__(self, loop, root, **options):
        self.loop = loop
        self.root = root
        self.changes = []
        self.watcher = loop.tree(root, self, **options)
        self.watcher.start()
        self.replayed = Replayed(os.fspath(root)) if isinstance(root, (str, os.PathLike)) else None

    def __call__(self, watcher, revents):
        assert revents == ev.EV_TREE
        changes = watcher.changes()
        self.changes.extend(changes)
        if self.replayed is not None:
            self.replayed.apply(changes)

    def short(self):
        """The changes since the last call, with paths from the root."""
        changes, self.changes = self.changes, []
        return [
            (change.kind, *map(self.name, change[1:3]))
            if change.old_path
            else (change.kind, self.name(change.path))
            for change in changes
        ]

    def name(self, path):
        return os.path.relpath(path, self.root)

    def settled(self):
        settle(self.loop, self)
        return self.short()


def run_until(loop, wanted):
    late = []
    guard = loop.timer(PATIENCE, 0.0, lambda watcher, revents: late.append(1))
    # Events that are pending are served before the first pass, which then waits.
    ticker = loop.timer(0.01, 0.01, lambda watcher, revents: None)
    with guard, ticker:
        while not wanted():
            loop.start(ev.EVRUN_ONCE)
            assert not late, "nothing came"


def settle(loop, seen=None):
    """Let the loop take up all that has happened: until nothing comes for a while."""
    quiet = []
    known = -1

    def tick(watcher, revents):
        nonlocal known
        count = len(seen.changes) if seen else 0
        quiet.append(1) if count == known else quiet.clear()
        known = count

    with loop.timer(0.0, 0.02, tick):
        while len(quiet) < 4:
            loop.start(ev.EVRUN_ONCE)


# What is told


def test_files(loop, root):
    seen = Seen(loop, root)
    (root / "file").write_text("new")
    assert seen.settled() == [("created", "file"), ("modified", "file"), ("closed", "file")]
    (root / "file").chmod(0o600)
    assert seen.settled() == [("attributes", "file")]
    (root / "file").rename(root / "other")
    assert seen.settled() == [("moved", "other", "file")]
    os.link(root / "other", root / "hard")
    (root / "link").symlink_to("/")
    assert ("created", "link") in seen.settled()
    (root / "other").unlink()
    assert seen.settled() == [("deleted", "other")]


def test_change(loop, root):
    seen = Seen(loop, root)
    (root / "directory").mkdir()
    settle(loop, seen)
    [change] = seen.changes
    path = str(root / "directory")
    assert change == ev.TreeChange("created", path, None, True) == ("created", path, None, True)
    assert (change.kind, change.path, change.old_path, change.is_directory) == change
    assert seen.watcher.changes() == ()


def test_what_there_was_is_no_change(loop, root):
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_text("")
    seen = Seen(loop, root)
    assert seen.settled() == []
    (root / "a" / "b" / "deep").write_text("")
    assert seen.settled()[0] == ("created", "a/b/deep")


def test_what_is_in_new_directories(loop, root):
    seen = Seen(loop, root)
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("")
    assert sorted(seen.settled()) == [
        ("created", name) for name in ("a", "a/b", "a/b/c", "a/b/file")
    ]
    (root / "a" / "b" / "c" / "late").write_text("")
    assert seen.settled()[0] == ("created", "a/b/c/late")


def test_renamed_directory(loop, root):
    (root / "a" / "b").mkdir(parents=True)
    seen = Seen(loop, root)
    (root / "a").rename(root / "z")
    (root / "z" / "b" / "file").write_text("")
    assert seen.settled()[:2] == [("moved", "z", "a"), ("created", "z/b/file")]
    (root / "z").rename(root / "a")
    (root / "a" / "b" / "file").rename(root / "a" / "file")
    assert seen.settled() == [("moved", "a", "z"), ("moved", "a/file", "a/b/file")]


def test_in_and_out(loop, root, outside):
    (outside / "a" / "b").mkdir(parents=True)
    (outside / "a" / "b" / "file").write_text("")
    seen = Seen(loop, root)
    (outside / "a").rename(root / "in")
    names = ["in", "in/b", "in/b/file"]
    assert seen.settled() == [("created", name) for name in names]
    (root / "in").rename(outside / "out")
    (outside / "out" / "b" / "more").write_text("")
    assert seen.settled() == [("deleted", name) for name in reversed(names)]


def test_many_moved_out_at_once(loop, root, outside):
    for number in range(500):
        (root / f"{number}").write_text("")
    seen = Seen(loop, root)
    for number in range(500):
        (root / f"{number}").rename(outside / f"{number}")
    assert seen.settled() == [("deleted", f"{number}") for number in range(500)]


def test_replaced_as_editors_do(loop, root):
    (root / "file").write_text("old")
    seen = Seen(loop, root)
    for turn in range(3):
        (root / "new").write_text(f"{turn}")
        (root / "new").rename(root / "file")
        assert seen.settled()[-1] == ("moved", "file", "new")


def test_exchanged(loop, root):
    (root / "a").mkdir()
    (root / "a" / "file").write_text("1")
    (root / "b").write_text("2")
    (root / "c").write_text("3")
    seen = Seen(loop, root)
    tree_model.exchange(root / "a", root / "b")
    tree_model.exchange(root / "a", root / "c")
    settle(loop, seen)
    seen.replayed.check()
    (root / "b" / "file").write_text("22")
    assert ("modified", "b/file") in seen.settled()


def test_rename_cycle(loop, root):
    (root / "a" / "b" / "c").mkdir(parents=True)
    seen = Seen(loop, root)
    for _ in range(50):
        (root / "a" / "b").rename(root / "x")
        (root / "a").rename(root / "x" / "b")
        (root / "x").rename(root / "a")
    settle(loop, seen)
    seen.replayed.check()
    (root / "a" / "b" / "c" / "file").write_text("")
    assert ("created", "a/b/c/file") in seen.settled()


def test_symbolic_links_are_not_followed(loop, root, outside):
    (outside / "file").write_text("")
    (root / "link").symlink_to(outside)
    (root / "circle").symlink_to(".")
    seen = Seen(loop, root)
    (outside / "file").write_text("changed")
    assert seen.settled() == []


def test_path_that_is_a_link(loop, root, tmp_path):
    (tmp_path / "link").symlink_to("root")
    seen = Seen(loop, tmp_path / "link")
    (root / "file").write_text("")
    assert seen.settled()[0] == ("created", "file")


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path, os.path.relpath])
def test_kinds_of_paths(loop, root, kind, monkeypatch):
    monkeypatch.chdir(root.parent)
    given = kind(root)
    told = []
    watcher = loop.tree(given, lambda watcher, revents: told.extend(watcher.changes()))
    assert watcher.path == os.fspath(given)
    monkeypatch.chdir("/")  # a relative path means what it meant
    name = "f\udcffle"
    with watcher:
        (root / name).mkdir()
        run_until(loop, lambda: told)
    name = os.fsencode(name) if kind is os.fsencode else name
    assert told[0].path == os.path.join(os.fspath(given), name)


def test_repeated_changes_are_told_once_until_they_are_taken(loop, root):
    watcher = loop.tree(root, lambda watcher, revents: None)
    (root / "file").write_text("")
    with watcher:
        for turn in range(1000):
            (root / "file").write_text(f"{turn}")
        settle(loop)
        assert [change.kind for change in watcher.changes()] == ["modified", "closed"]
        (root / "file").write_text("")
        settle(loop)
        assert [change.kind for change in watcher.changes()] == ["modified", "closed"]


def test_attributes_of_the_root(loop, root):
    seen = Seen(loop, root)
    root.chmod(0o700)
    assert seen.settled() == [("attributes", ".")]


# What is descended into


def test_filter(loop, root):
    asked = []

    def wanted(path):
        asked.append(path)
        return not path.endswith("/left")

    (root / "a" / "left" / "in").mkdir(parents=True)
    told = []
    watcher = loop.tree(
        root, lambda watcher, revents: told.extend(watcher.changes()), filter=wanted
    )
    assert watcher.filter is wanted
    with watcher:
        assert sorted(asked) == [str(root / "a"), str(root / "a" / "left")]
        (root / "a" / "left" / "file").write_text("")
        (root / "left").mkdir()
        (root / "left" / "file").write_text("")
        run_until(loop, lambda: told)
        settle(loop)
        assert [change[:2] for change in told] == [("created", str(root / "left"))]
        told.clear()
        (root / "left").rename(root / "taken")
        settle(loop)
        assert [change[:2] for change in told] == [
            ("moved", str(root / "taken")),
            ("created", str(root / "taken" / "file")),
        ]
        told.clear()
        (root / "taken").rename(root / "left")
        settle(loop)
        assert [change[:2] for change in told] == [
            ("moved", str(root / "left")),
            ("deleted", str(root / "left" / "file")),
        ]


def test_filter_that_raises(loop, root, reported):
    def refuse(path):
        raise ValueError(path)

    (root / "a").mkdir()
    with pytest.raises(ValueError):
        loop.tree(root, print, filter=refuse).start()
    (root / "a").rmdir()
    seen = Seen(loop, root, filter=refuse)
    (root / "b").mkdir()
    (root / "b" / "file").write_text("")
    assert ("created", "b/file") in seen.settled()
    assert [type(error) for error, _ in reported] == [ValueError]
    reported.clear()


@pytest.mark.parametrize("how", ["stop", "restart", "close", "changes"])
def test_filter_does_what_it_wants(loop, root, how):
    restarted = []

    def filter(path):
        if how == "close":
            loop.close()
        elif how == "changes":
            watcher.changes()
        else:
            watcher.stop()
            if how == "restart" and not restarted:
                restarted.append(path)
                watcher.start()
        gc.collect()
        return True

    (root / "there").mkdir()
    watcher = loop.tree(root, lambda watcher, revents: None, filter=None)
    watcher.set(root, filter=filter)
    with contextlib.suppress(ev.Error):
        watcher.start()
    for name in "abc":
        (root / name / name).mkdir(parents=True)
    if not loop.closed:
        settle(loop)


@pytest.mark.skipif(os.getuid() != 0, reason="needs a user to become")
def test_directories_that_may_not_be_read(new_loop):
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setuid(65534)
                locked = os.path.join(name, "locked")
                os.mkdir(locked, 0o0)
                loop = ev.Loop()
                seen = Seen(loop, name)
                assert seen.watcher.unwatched == (locked,)
                os.chmod(locked, 0o700)
                open(os.path.join(locked, "file"), "w").close()
                assert ("created", "locked/file") in seen.settled()
                assert seen.watcher.unwatched == ()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_too_deep_for_a_path(loop, root):
    seen = Seen(loop, root)
    here = os.getcwd()
    try:
        os.chdir(root)
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        settle(loop, seen)
        assert 19 <= len(seen.changes) <= 21  # what has no path is not told
    finally:
        os.chdir(here)
        seen.watcher.stop()
        shutil.rmtree(root)


# The root


def test_root_is_deleted(loop, root):
    (root / "a").mkdir()
    seen = Seen(loop, root)
    shutil.rmtree(root)
    assert loop.start() is False
    assert seen.short() == [("deleted", "a"), ("deleted", ".")]
    assert not seen.watcher.active
    with pytest.raises(FileNotFoundError, match=str(root)):
        seen.watcher.start()
    root.mkdir()
    seen.watcher.start()
    (root / "file").write_text("")
    assert seen.settled()[0] == ("created", "file")


def test_root_is_moved_away(loop, root, tmp_path):
    (root / "a").mkdir()
    seen = Seen(loop, root)
    root.rename(tmp_path / "elsewhere")
    loop.start()
    assert seen.short() == [("deleted", "a"), ("deleted", ".")]


def test_root_is_deleted_while_somebody_has_it_open(loop, root):
    seen = Seen(loop, root)
    held = os.open(root, os.O_RDONLY)
    try:
        root.rmdir()
        loop.start()
        assert seen.short() == [("deleted", ".")]
    finally:
        os.close(held)


def test_no_directory(loop, root):
    (root / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file"):
        loop.tree(root / "file", print).start()
    with pytest.raises(FileNotFoundError, match="none"):
        loop.tree(root / "none", print).start()
    assert loop.watchers == ()


def test_not_with_noinotify(new_loop, root):
    loop = new_loop(ev.EVFLAG_NOINOTIFY)
    with pytest.raises(ev.Error, match="EVFLAG_NOINOTIFY"):
        loop.tree(root, print)


# When the kernel has no more room


def queue_length():
    limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50000:
        pytest.skip("the queue is too long to fill")
    return limit


def fill_queue(root):
    """Have so many events that the kernel has no room for later ones."""
    with open(root / "one", "w") as one, open(root / "other", "w") as other:
        for number in range(queue_length() // 2 + 10):
            for file in (one, other):  # in turn: equal events in a row are made one
                os.pwrite(file.fileno(), b"x", 0)


def test_overflow(loop, root, outside):
    for name in ("kept/in", "moved/in", "gone/in"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("old")
    seen = Seen(loop, root)
    fill_queue(root)
    (root / "kept" / "in" / "file").write_text("changed")
    (root / "kept").chmod(0o700)
    (root / "moved").rename(root / "kept" / "here")
    (root / "gone").rename(outside / "gone")
    (root / "new" / "in").mkdir(parents=True)
    (root / "new" / "in" / "file").write_text("")
    told = seen.settled()
    assert set(told) >= {
        ("modified", "kept/in/file"),
        ("attributes", "kept"),
        ("moved", "kept/here", "moved"),
        ("deleted", "gone/in/file"),
        ("created", "new/in/file"),
    }
    seen.replayed.check()
    (root / "kept" / "here" / "in" / "file").write_text("after")
    assert ("modified", "kept/here/in/file") in seen.settled()


def test_storm_in_one_tree_leaves_others_alone(loop, root, outside):
    (outside / "file").write_text("")
    storm = Seen(loop, root)
    quiet = Seen(loop, outside)
    fill_queue(root)
    (outside / "file").write_text("x")
    assert quiet.settled() == [("modified", "file"), ("closed", "file")]
    storm.replayed.check()


def test_random_programs_with_overflows(loop, root, outside):
    for seed in range(3):
        seen = Seen(loop, root)
        rng = random.Random(seed)
        for _ in range(2):
            for _ in range(50):
                tree_model.change(rng, root, outside)
            with contextlib.suppress(OSError):
                fill_queue(root)
            for _ in range(100):
                tree_model.change(rng, root, outside)
            settle(loop, seen)
            seen.replayed.check()
        seen.watcher.stop()


def test_changes_that_nobody_takes_are_bounded(new_loop, root):
    loop = new_loop()
    watcher = loop.tree(root, lambda watcher, revents: None)
    (root / "one").write_text("")
    watcher.start()
    known = Replayed(str(root))
    for _ in range(12):
        for _ in range(4000):
            os.rename(root / "one", root / "other")
            os.rename(root / "other", root / "one")
        for _ in range(12):
            loop.start(ev.EVRUN_NOWAIT)
    (root / "last").mkdir()
    kept = watcher.changes()
    assert 65536 <= len(kept) < 70000
    known.apply(kept)

    def is_told():
        known.apply(watcher.changes())
        return str(root / "last") in known.files

    run_until(loop, is_told)
    known.check()


# A process with limits of its own: in a user namespace, which takes a process without threads.
LIMITED = """
import ctypes, errno
pid = os.fork()
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

def limit(name, value):
    with open(f"/proc/sys/user/{name}", "w") as file:
        file.write(str(value))

def begin():
    try:
        tree.start()
    except OSError as error:
        tell(error)

def tell(error):
    print(errno.errorcode[error.errno], f"fs.inotify.{sysctl}" in str(error), root in str(error))

loop = Loop()
tree = loop.tree(root, noop)
if ctypes.CDLL(None).unshare(0x10000000):
    os._exit(77)  # the end of a forked interpreter waits for threads that it does not have
limit(f"max_inotify_{sysctl.rpartition('_')[2]}", allowed)
"""


def run_limited(run_program, root, sysctl, allowed, program, expected):
    names = f"\nroot, sysctl, allowed = {str(root)!r}, {sysctl!r}, {allowed}\n"
    try:
        run_program(names + LIMITED + program + "\nsys.stdout.flush()\nos._exit(0)", expected)
    except AssertionError as error:
        if "exit status 77" in str(error):
            pytest.skip("there can be no user namespace")
        raise


def test_limit_of_instances(run_program, root):
    run_limited(run_program, root, "max_user_instances", 0, "begin()", "EMFILE True True")


def test_limit_of_watches(run_program, root):
    program = """
for name in "abcdefg":
    os.mkdir(f"{root}/{name}")
begin()
for name in "abcdefg":
    os.rmdir(f"{root}/{name}")
begin()
for name in "abcdefg":
    os.mkdir(f"{root}/{name}")
try:
    loop.start()
except OSError as error:
    tell(error)
    print("had to be stopped" in str(error), tree.active)
"""
    told = "ENOSPC True True ENOSPC True True True False"
    run_limited(run_program, root, "max_user_watches", 5, program, told)


# The loop


def inotify_descriptors():
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify"
    return found


def test_stopped_and_started_again(loop, root):
    before = inotify_descriptors()
    seen = Seen(loop, root)
    assert inotify_descriptors() == before + 1
    assert loop.watchers == (seen.watcher,)
    (root / "missed").write_text("")
    seen.watcher.stop()
    assert inotify_descriptors() == before
    assert loop.watchers == () and loop.start() is False
    (root / "also missed").write_text("")
    seen.watcher.start()
    seen.watcher.start()
    assert seen.settled() == []
    (root / "file").write_text("")
    settle(loop, seen)
    assert os.path.basename(seen.changes[0].path) == "file"


def test_close_and_drop(new_loop, root):
    before = inotify_descriptors()
    loop = new_loop()
    watcher = loop.tree(root, print)
    watcher.start()
    loop.close()
    assert not watcher.active and inotify_descriptors() == before
    with pytest.raises(ev.Error):
        watcher.start()
    dropped = ev.Loop()
    dropped.tree(root, print).start()
    gone = weakref.ref(dropped)
    del dropped
    gc.collect()
    assert gone() is None and inotify_descriptors() <= before


def test_references_of_the_loop_are_its_own(loop, root, outside):
    """What is internal keeps no loop running, and is not counted as a watcher."""
    watcher = loop.tree(root, lambda watcher, revents: None)
    with watcher:
        for number in range(20):
            (root / "file").write_text("")
            (root / "file").rename(outside / "file")
            settle(loop)
            assert loop.watchers == (watcher,)
            assert loop.start(ev.EVRUN_NOWAIT) is True
    assert loop.start() is False


def test_callbacks_may_do_anything(loop, root):
    calls = []

    def upset(watcher, revents):
        calls.append(watcher.changes())
        gc.collect()
        watcher.stop()
        watcher.set(root)
        if len(calls) < 5:
            watcher.start()
            (root / f"{len(calls)}").mkdir()

    loop.tree(root, upset).start()
    (root / "first").mkdir()
    assert loop.start() is False
    assert len(calls) == 5


def test_threads(loop, root, outside):
    done = []

    def churn():
        rng = random.Random(1)
        for _ in range(300):
            tree_model.change(rng, root, outside)
        done.append(1)

    def restart():
        while len(done) < 1:
            with loop.tree(root, lambda watcher, revents: watcher.changes()) as watcher:
                watcher.changes()
                watcher.unwatched
        done.append(1)

    threads = [threading.Thread(target=work) for work in (churn, restart)]
    for thread in threads:
        thread.start()
    run_until(loop, lambda: len(done) == 2)
    for thread in threads:
        thread.join()
    loop.verify()


def in_child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("ending", ["go on", "stop", "close"])
def test_forked_child_has_its_own(loop, root, ending):
    (root / "sub").mkdir()
    seen = Seen(loop, root)
    loop.start(ev.EVRUN_NOWAIT)
    (root / "sub" / "before").write_text("")

    def child():
        if ending == "go on":
            (root / "sub" / "in the child").write_text("")
            settle(loop, seen)
            seen.replayed.check()
            (root / "sub" / "later").mkdir()
            return ("created", "sub/later") in seen.settled()
        seen.watcher.stop() if ending == "stop" else loop.close()
        return True

    assert in_child(child)
    assert ("created", "sub/before") in seen.settled()
    (root / "sub" / "after").write_text("")
    assert ("created", "sub/after") in seen.settled()
    seen.replayed.check()


def test_reset_and_closed_descriptor(loop, root):
    seen = Seen(loop, root)
    loop.start(ev.EVRUN_NOWAIT)
    loop.reset()
    (root / "reset").write_text("")
    assert ("created", "reset") in seen.settled()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify":
                os.close(int(name))
    (root / "closed").write_text("")
    run_until(loop, lambda: ("created", str(root / "closed")) in [c[:2] for c in seen.changes])
    seen.replayed.check()


def test_manual_clock(loop, clock, root, outside):
    (root / "file").write_text("")
    told = []
    with loop.tree(root, lambda watcher, revents: (told.extend(watcher.changes()), loop.stop())):
        (root / "file").rename(outside / "file")
        loop.start()
    assert told[0].kind == "deleted"


# The watcher


def test_attributes(loop, root):
    watcher = ev.Tree(root, loop, print, "data", 1)
    assert (watcher.path, watcher.filter, watcher.unwatched) == (str(root), None, ())
    assert (watcher.data, watcher.priority, watcher.loop) == ("data", 1, loop)
    assert repr(watcher).startswith(f"<Tree path={str(root)!r} stopped, priority 1")
    watcher = loop.tree(path="/", callback=print, data=2, priority=-1, filter=bool)
    assert (watcher.path, watcher.data, watcher.priority, watcher.filter) == ("/", 2, -1, bool)
    watcher.set(b"/tmp")
    assert (watcher.path, watcher.filter) == (b"/tmp", None)


@pytest.mark.parametrize(
    ("path", "filter", "error"),
    [
        (None, None, TypeError),
        ("", None, ValueError),
        ("/a\0", None, ValueError),
        ("/", 1, TypeError),
    ],
)
def test_bad_arguments(loop, path, filter, error):
    with pytest.raises(error):
        loop.tree(path, print, filter=filter)
    watcher = loop.tree("/proc", print)
    with pytest.raises(error):
        watcher.set(path, filter=filter)
    assert watcher.path == "/proc"


def test_set_while_active(loop, root):
    with loop.tree(root, print) as watcher, pytest.raises(ev.Error):
        watcher.set(root)


# Anything at all


def test_random_programs(loop, root, outside):
    for seed in range(6):
        rng = random.Random(seed)
        seen = Seen(loop, root)
        for _ in range(rng.choice((20, 100, 300))):
            tree_model.change(rng, root, outside)
            if rng.random() < 0.1:
                loop.start(ev.EVRUN_NOWAIT)
        settle(loop, seen)
        seen.replayed.check()
        seen.watcher.stop()


@pytest.mark.parametrize("seed", range(2))
def test_random_programs_at_full_speed(loop, root, outside, seed):
    seen = Seen(loop, root)
    with tree_model.start_changes(seed, 4000, root, outside) as process:
        run_until(loop, lambda: process.poll() is not None)
    settle(loop, seen)
    # On a busy machine it may be quiet while a survey is under way.
    run_until(loop, lambda: not seen.replayed.differences())
    seen.replayed.check()
