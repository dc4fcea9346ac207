"""Stat: told by inotify and by polling alike."""

import contextlib
import gc
import mmap
import multiprocessing
import os
import pathlib
import resource
import tempfile
import threading
import weakref

import pytest
from patience import patient

import everloop as ev

PATIENCE = patient(20.0)  # seconds until a test gives up
POLLED = {"inotify": 0, "polling": ev.EVFLAG_NOINOTIFY}


@pytest.fixture(params=POLLED)
def loop(request, new_loop):
    return new_loop(POLLED[request.param])


@pytest.fixture
def inotify_loop(new_loop):
    return new_loop()


class Seen:
    """The callback of a Stat, which notes what it was called with."""

    def __init__(self, loop, path, interval=0.1):
        self.calls = []
        self.loop = loop
        self.watcher = loop.stat(path, interval, self)
        self.watcher.start()

    def __call__(self, watcher, revents):
        assert revents == ev.EV_STAT
        self.calls.append((watcher.previous, watcher.current))
        self.loop.stop()

    def expect(self, wanted=lambda: True):
        """Run the loop until a call after which wanted() is true."""
        run_until(self.loop, lambda: self.calls and wanted())
        return self.watcher.current


def run_until(loop, wanted):
    late = []
    guard = loop.timer(PATIENCE, 0.0, lambda watcher, revents: (late.append(1), loop.stop()))
    with guard:
        while not wanted():
            loop.start(ev.EVRUN_ONCE)
            assert not late, "nothing came"


def settle(loop):
    """Let the loop take up all that has already happened, in several passes."""
    passes = []
    ticker = loop.timer(0.0, 0.05, lambda watcher, revents: passes.append(1))
    with ticker:
        while len(passes) < 6:
            loop.start(ev.EVRUN_ONCE)


def inotify_numbers():
    """The numbers of all inotify descriptors of this process."""
    numbers = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify":
                numbers.append(int(name))
    return numbers


@pytest.fixture(autouse=True)
def others():
    """Descriptors of loops that earlier tests have left to the garbage collector."""
    gc.collect()
    before.clear()
    before.update(inotify_numbers())


before: set = set()


def inotify_descriptors():
    return len(set(inotify_numbers()) - before)


# What is a change


def test_written(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    seen = Seen(loop, path)
    path.write_bytes(b"new")
    assert seen.expect(lambda: seen.watcher.current.st_size == 3)
    assert seen.calls[0][0].st_size == 0


def test_appended_in_place(loop, tmp_path):
    path = tmp_path / "file"
    with open(path, "wb", buffering=0) as file:
        seen = Seen(loop, path)
        file.write(b"abc")
        assert seen.expect().st_size == 3
        seen.calls.clear()
        file.write(b"def")
        assert seen.expect().st_size == 6


def test_truncated(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    seen = Seen(loop, path)
    os.truncate(path, 2)
    assert seen.expect().st_size == 2


def test_mode(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    seen = Seen(loop, path)
    path.chmod(0o640)
    assert seen.expect().st_mode & 0o777 == 0o640


def test_times_to_the_nanosecond(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    os.utime(path, ns=(10**18, 10**18))
    seen = Seen(loop, path)
    os.utime(path, ns=(10**18, 10**18 + 1))
    assert seen.expect().st_mtime_ns == 10**18 + 1
    assert seen.calls[0][0].st_mtime_ns == 10**18


def test_written_through_a_mapping(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.utime(path, ns=(1, 1))
    seen = Seen(loop, path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        mapping[:] = b"new"
        mapping.flush()
    assert seen.expect().st_mtime_ns > 1


def test_linked(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    seen = Seen(loop, path)
    os.link(path, tmp_path / "other")
    assert seen.expect().st_nlink == 2


def test_deleted_and_made_again(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"first")
    seen = Seen(loop, path)
    path.unlink()
    assert seen.expect().st_nlink == 0
    assert seen.watcher.previous.st_size == 5
    seen.calls.clear()
    path.write_bytes(b"again!")
    assert seen.expect(lambda: seen.watcher.current.st_size == 6)
    assert seen.calls[0][0].st_nlink == 0


def test_deleted_while_open(loop, tmp_path):
    path = tmp_path / "file"
    with open(path, "wb"):
        seen = Seen(loop, path)
        path.unlink()
        assert seen.expect().st_nlink == 0


def test_replaced_as_editors_do(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = Seen(loop, path)
    for size in (4, 5, 6):  # each replaces another inode
        seen.calls.clear()
        (tmp_path / "new").write_bytes(b"x" * size)
        os.replace(tmp_path / "new", path)
        assert seen.expect().st_size == size
        assert seen.watcher.previous.st_size != size
        assert all(current.st_nlink for _, current in seen.calls)


def test_moved_away(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = Seen(loop, path)
    path.rename(tmp_path / "elsewhere")
    assert seen.expect().st_nlink == 0
    seen.calls.clear()
    (tmp_path / "elsewhere").rename(path)
    assert seen.expect().st_size == 3


def test_contents_of_directory(loop, tmp_path):
    seen = Seen(loop, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert seen.expect().st_mtime_ns > seen.watcher.previous.st_mtime_ns
    seen.calls.clear()
    (tmp_path / "directory").mkdir()
    assert seen.expect().st_nlink == seen.watcher.previous.st_nlink + 1
    seen.calls.clear()
    (tmp_path / "file").unlink()
    assert seen.expect().st_mtime_ns > seen.watcher.previous.st_mtime_ns


def test_content_of_files_is_not_that_of_their_directory(loop, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    seen = Seen(loop, tmp_path)
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "file").chmod(0o600)
    settle(loop)
    assert seen.calls == []


def test_reading_is_no_change(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"data")
    seen = Seen(loop, path)
    path.read_bytes()
    os.utime(path, ns=(1, path.stat().st_mtime_ns))  # changes the ctime: is one
    seen.expect()
    seen.calls.clear()
    path.read_bytes()
    settle(loop)
    assert seen.calls == []


def test_no_change_no_call(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"data")
    seen = Seen(loop, path)
    missing = Seen(loop, tmp_path / "missing")
    (tmp_path / "unrelated").write_bytes(b"")
    settle(loop)
    assert seen.calls == missing.calls == []
    assert seen.watcher.current.st_size == 4
    assert seen.watcher.previous == seen.watcher.current


# Where the path leads


def test_several_missing_parents(loop, tmp_path):
    path = tmp_path / "a" / "b" / "c" / "file"
    seen = Seen(loop, path)
    assert seen.watcher.current.st_nlink == 0
    (tmp_path / "a").mkdir()
    settle(loop)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    settle(loop)
    assert seen.calls == []
    path.write_bytes(b"here")
    assert seen.expect(lambda: seen.watcher.current.st_size == 4)


def test_parents_and_file_made_at_once(loop, tmp_path):
    path = tmp_path / "a" / "b" / "file"
    seen = Seen(loop, path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"here")
    assert seen.expect().st_size == 4


def test_parent_removed_and_made_again(loop, tmp_path):
    path = tmp_path / "parent" / "file"
    path.parent.mkdir()
    path.write_bytes(b"1")
    seen = Seen(loop, path)
    for size in (2, 3):
        seen.calls.clear()
        path.unlink()
        path.parent.rmdir()
        assert seen.expect().st_nlink == 0
        settle(loop)
        path.parent.mkdir()
        path.write_bytes(b"x" * size)
        assert seen.expect(lambda size=size: seen.watcher.current.st_size == size)


def test_parent_removed_while_somebody_has_it_open(loop, tmp_path):
    path = tmp_path / "parent" / "file"
    path.parent.mkdir()
    seen = Seen(loop, path)
    held = os.open(path.parent, os.O_RDONLY)
    try:
        path.parent.rmdir()
        settle(loop)
        path.parent.mkdir()
        path.write_bytes(b"here")
        assert seen.expect().st_nlink == 1
    finally:
        os.close(held)


def test_directory_removed_while_somebody_has_it_open(loop, tmp_path):
    path = tmp_path / "directory"
    path.mkdir()
    seen = Seen(loop, path)
    held = os.open(path, os.O_RDONLY)
    try:
        path.rmdir()
        assert seen.expect().st_nlink == 0
    finally:
        os.close(held)


def test_parent_moved_away_and_replaced(loop, tmp_path):
    path = tmp_path / "up" / "parent" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1")
    seen = Seen(loop, path)
    (tmp_path / "up").rename(tmp_path / "old")
    assert seen.expect().st_nlink == 0
    seen.calls.clear()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"22")
    assert seen.expect(lambda: seen.watcher.current.st_size == 2)
    seen.calls.clear()
    (tmp_path / "old" / "parent" / "file").write_bytes(b"333")  # not on the path any more
    settle(loop)
    assert seen.calls == []


def test_file_where_a_parent_should_be(loop, tmp_path):
    seen = Seen(loop, tmp_path / "a" / "file")
    (tmp_path / "a").write_bytes(b"in the way")
    settle(loop)
    assert seen.calls == []
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"")
    assert seen.expect().st_nlink == 1


# Symbolic links


def test_target_of_link_changes(loop, tmp_path):
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "link").symlink_to("target")
    seen = Seen(loop, tmp_path / "link")
    assert seen.watcher.current.st_ino == (tmp_path / "target").stat().st_ino
    (tmp_path / "target").write_bytes(b"data")
    assert seen.expect(lambda: seen.watcher.current.st_size == 4)


def test_link_swapped_on_the_way(loop, tmp_path):
    """As Kubernetes updates what it mounts: file -> ..data/file, ..data -> a version."""
    for version, size in (("..1", 1), ("..2", 2)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_bytes(b"x" * size)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "file").symlink_to("..data/file")
    seen = Seen(loop, tmp_path / "file")
    assert seen.watcher.current.st_size == 1
    (tmp_path / "..tmp").symlink_to("..2")
    os.replace(tmp_path / "..tmp", tmp_path / "..data")
    assert seen.expect().st_size == 2
    seen.calls.clear()
    (tmp_path / "..2" / "file").write_bytes(b"333")
    assert seen.expect(lambda: seen.watcher.current.st_size == 3)


def test_dangling_link(loop, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none" / "target")
    seen = Seen(loop, link)
    assert seen.watcher.current.st_ino == link.lstat().st_ino
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "target").write_bytes(b"1234567")
    assert seen.expect(lambda: seen.watcher.current.st_size == 7)
    seen.calls.clear()
    link.unlink()
    assert seen.expect().st_nlink == 0


def test_link_itself_changes(loop, tmp_path):
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "link").symlink_to("target")
    seen = Seen(loop, tmp_path / "link")
    (tmp_path / "new").symlink_to("target")
    os.replace(tmp_path / "new", tmp_path / "link")
    assert seen.expect().st_ino == (tmp_path / "target").stat().st_ino


def test_links_in_a_circle(loop, tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    seen = Seen(loop, tmp_path / "a")
    (tmp_path / "b").unlink()
    (tmp_path / "b").write_bytes(b"out")
    assert seen.expect(lambda: seen.watcher.current.st_size == 3)


def test_upwards_and_doubled_slashes(loop, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    seen = Seen(loop, f"{tmp_path}//a/./b/../../file")
    (tmp_path / "file").write_bytes(b"12")
    assert seen.expect(lambda: seen.watcher.current.st_size == 2)
    seen.calls.clear()
    (tmp_path / "a" / "b").rename(tmp_path / "a" / "c")
    assert seen.expect().st_nlink == 0


# Files that the kernel does not tell of


def test_proc_is_polled(inotify_loop):
    seen = Seen(inotify_loop, f"/proc/{os.getpid()}/task")
    enough = threading.Event()
    thread = threading.Thread(target=enough.wait)
    thread.start()
    try:
        assert seen.expect().st_nlink == seen.watcher.previous.st_nlink + 1
    finally:
        enough.set()
        thread.join()


@pytest.mark.skipif(os.getuid() != 0, reason="needs a user to become")
def test_directory_that_may_not_be_read_is_polled():
    """inotify refuses it, though stat() gets through."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o711)
        path = pathlib.Path(name) / "file"
        path.write_bytes(b"1")

        def child():
            os.setuid(65534)
            with ev.Loop() as own:
                seen = Seen(own, path)
                told.set()
                return seen.expect(lambda: not seen.watcher.current.st_nlink) is not None

        told = multiprocessing.get_context("fork").Event()
        removal = threading.Thread(target=lambda: told.wait(PATIENCE) and path.unlink())
        removal.start()
        assert in_child(child)
        removal.join()


def test_polled_without_inotify_descriptors(tmp_path, inotify_loop):
    path = tmp_path / "file"
    inotify_loop.async_(lambda w, e: None).start()  # the loop has what it needs itself
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = os.dup(0)  # the lowest number that is free
    os.close(used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, limits[1]))
    try:
        seen = Seen(inotify_loop, path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert inotify_descriptors() == 0
    path.write_bytes(b"12")
    seen.expect(lambda: seen.watcher.current.st_size == 2)
    assert inotify_descriptors() == 1  # it was tried anew


def test_interval_zero_polls_every_five_seconds(new_loop, clock, tmp_path):
    loop = new_loop(ev.EVFLAG_NOINOTIFY)
    loop.clock = clock
    began = loop.now()
    times = []
    loop.stat(tmp_path / "file", 0, lambda watcher, revents: times.append(loop.now())).start()
    loop.stat(tmp_path, 100, print).start()
    (tmp_path / "file").write_bytes(b"")
    loop.timer(11.0, 0.0, lambda watcher, revents: loop.stop()).start()
    loop.start()
    assert [time - began for time in times] == [pytest.approx(5.0)]


def test_tiny_interval_is_a_tenth_of_a_second(new_loop, clock, tmp_path):
    loop = new_loop(ev.EVFLAG_NOINOTIFY)
    loop.clock = clock
    loop.stat(tmp_path, 1e-9, print).start()
    loop.timer(10.0, 0.0, lambda watcher, revents: loop.stop()).start()
    loop.start()
    assert loop.iteration <= 102


# One descriptor


def test_one_descriptor_for_many_paths(inotify_loop, tmp_path):
    changed = []
    watchers = []
    before = inotify_descriptors()
    for number in range(1000):
        (tmp_path / f"{number}").write_bytes(b"")
        watcher = inotify_loop.stat(
            tmp_path / f"{number}", 0, lambda watcher, revents: changed.append(watcher)
        )
        watcher.start()
        watchers.append(watcher)
    assert inotify_descriptors() == before + 1
    for number in range(0, 1000, 2):
        (tmp_path / f"{number}").write_bytes(b"x")
    run_until(inotify_loop, lambda: len(set(changed)) == 500)
    settle(inotify_loop)
    assert set(changed) == set(watchers[::2])
    for watcher in watchers:
        assert inotify_descriptors() == before + 1
        watcher.stop()
    assert inotify_descriptors() == before


def test_watchers_of_one_inode(loop, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    os.link(tmp_path / "file", tmp_path / "hard")
    (tmp_path / "soft").symlink_to("file")
    seen = [Seen(loop, tmp_path / name) for name in ("file", "file", "hard", "soft")]
    seen[0].watcher.stop()
    (tmp_path / "hard").write_bytes(b"data")
    run_until(loop, lambda: all(other.calls for other in seen[1:]))
    assert seen[0].calls == []


def test_directory_watched_as_end_and_on_the_way(loop, tmp_path):
    end = Seen(loop, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    end.expect()
    way = Seen(loop, tmp_path / "file")
    end.watcher.stop()
    (tmp_path / "file").write_bytes(b"1")
    way.expect(lambda: way.watcher.current.st_size == 1)


def several(loop, directory, names):
    for name in names:
        (directory / name).write_text("")
    return [Seen(loop, directory / name) for name in names]


def expect_all(watchers, wanted):
    for each in watchers:
        each.expect(lambda each=each: wanted(each.watcher.current))


def test_directory_of_several_is_replaced(loop, tmp_path):
    directory = tmp_path / "way" / "directory"
    directory.mkdir(parents=True)
    watchers = several(loop, directory, "abc")
    settle(loop)
    for _ in range(2):
        directory.parent.rename(tmp_path / "away")
        expect_all(watchers, lambda current: current.st_nlink == 0)
        directory.mkdir(parents=True)
        for name in "abc":
            (directory / name).write_text("long")
        expect_all(watchers, lambda current: current.st_size == 4)
        (directory / "b").write_text("longer")
        watchers[1].expect(lambda: watchers[1].watcher.current.st_size == 6)
        (tmp_path / "away" / "directory").rename(tmp_path / "gone")
        (tmp_path / "away").rmdir()
        for name in "abc":
            (tmp_path / "gone" / name).unlink()
        (tmp_path / "gone").rmdir()


def test_directory_replaced_while_another_is_started(loop, tmp_path):
    """What the kernel has told already, but nobody has read, concerns the later one, too."""
    directory = tmp_path / "directory"
    directory.mkdir()
    (first,) = several(loop, directory, "a")
    settle(loop)
    directory.rename(tmp_path / "away")
    directory.mkdir()
    (second,) = several(loop, directory, "b")
    directory.rename(tmp_path / "also away")
    expect_all([first, second], lambda current: current.st_nlink == 0)
    directory.mkdir()
    (directory / "b").write_text("back")
    second.expect(lambda: second.watcher.current.st_size == 4)


def test_first_of_a_directory_stops(loop, tmp_path):
    directory = tmp_path / "directory"
    directory.mkdir()
    watchers = several(loop, directory, "abc")
    for each in (0, 2, 1):
        watchers[each].watcher.stop()
        fresh = several(loop, directory, "de")
        directory.rename(tmp_path / f"away {each}")
        expect_all(fresh, lambda current: current.st_nlink == 0)
        directory.mkdir()
        for one in fresh:
            one.watcher.stop()


def test_all_sorts_of_entries_of_a_directory(loop, tmp_path):
    directory = tmp_path / "directory"
    (directory / "inner").mkdir(parents=True)
    (directory / "link").symlink_to("file")
    (directory / "inner link").symlink_to("inner/x")
    watchers = several(loop, directory, ["file", "other"])
    paths = ["link", "inner", "inner link", "inner/../other", "./file", "missing"]
    watchers += [Seen(loop, f"{directory}/{path}") for path in paths]
    settle(loop)
    for changed, name, told in (
        ("file", "file", {0, 2, 6}),
        ("other", "other", {1, 5}),
        ("inner/x", "inner/x", {3, 4}),
        ("missing", "missing", {7}),
    ):
        for each in watchers:
            each.calls.clear()
        (directory / name).write_text(changed)
        expect_all([watchers[number] for number in told], lambda current: current.st_nlink)
        settle(loop)
        assert {number for number, each in enumerate(watchers) if each.calls} == told


def test_queue_overflow(inotify_loop, tmp_path):
    limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50000:
        pytest.skip("the queue is too long to fill")
    busy = [tmp_path / "busy1", tmp_path / "busy2"]
    quiet = tmp_path / "quiet"
    for path in (*busy, quiet):
        path.write_bytes(b"")
    seen = [Seen(inotify_loop, path) for path in (*busy, quiet, tmp_path / "missing" / "file")]
    files = [os.open(path, os.O_WRONLY) for path in busy]
    for _ in range(limit // 2 + 10):
        for fd in files:  # in turn: equal events in a row are made one
            os.pwrite(fd, b"x", 0)
    for fd in files:
        os.close(fd)
    quiet.write_bytes(b"lost in the overflow")
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "file").write_bytes(b"")
    run_until(inotify_loop, lambda: all(other.calls for other in seen))
    settle(inotify_loop)
    seen[2].calls.clear()
    quiet.unlink()
    assert seen[2].expect().st_nlink == 0


def test_descriptor_is_not_blocking_nor_inherited(inotify_loop, tmp_path):
    with inotify_loop.stat(tmp_path, 0, print):
        [number] = inotify_numbers()
        assert not os.get_inheritable(number)
        assert not os.get_blocking(number)


# The loop


def test_internal_watchers_are_not_counted(loop, tmp_path):
    watcher = loop.stat(tmp_path, 0, print)
    proc = loop.stat("/proc/self", 0, print)  # polled in any case
    watcher.start()
    proc.start()
    assert loop.watchers == (watcher, proc)
    assert loop.start(ev.EVRUN_NOWAIT) is True
    watcher.stop()
    proc.stop()
    assert loop.watchers == ()
    assert loop.start() is False


def test_unref_ends_the_loop(loop, tmp_path):
    loop.stat(tmp_path, 0, print).start()
    loop.unref()
    assert loop.start() is False
    loop.ref()


def test_last_stat_stops_in_its_callback(loop, tmp_path):
    path = tmp_path / "file"
    watcher = loop.stat(path, 0.1, lambda watcher, revents: watcher.stop())
    watcher.start()
    path.write_bytes(b"")
    assert loop.start() is False
    assert inotify_descriptors() == 0


def test_close_releases_everything(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    loop = ev.Loop()
    watchers = [loop.stat(tmp_path / f"{n}", 0.1, print) for n in range(10)]
    watchers.append(loop.stat("/proc/self", 0.1, print))
    for watcher in watchers:
        watcher.start()
    loop.start(ev.EVRUN_NOWAIT)
    loop.close()
    assert not any(watcher.active for watcher in watchers)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ev.Error):
        watchers[0].start()
    with pytest.raises(ev.Error):
        loop.stat(tmp_path, 0, print)


def test_dropped_loop_is_collected(tmp_path):
    loop = ev.Loop()
    loop.stat(tmp_path, 0, print).start()
    loop.stat("/proc/self", 0, print).start()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
    assert inotify_descriptors() == 0


def test_active_watcher_is_kept(loop, tmp_path):
    path = tmp_path / "file"
    calls = []
    loop.stat(path, 0.1, lambda watcher, revents: calls.append(watcher)).start()
    gc.collect()
    path.write_bytes(b"")
    run_until(loop, lambda: calls)


def test_callbacks_may_stop_drop_and_set_any(loop, tmp_path):
    paths = [tmp_path / f"{n}" for n in range(30)]
    watchers = []
    calls = []

    def upset(watcher, revents):
        calls.append(watcher.path)
        watcher.stop()
        watcher.set(tmp_path / "other", 0.1)
        watcher.start()
        while len(watchers) > 1:
            other = watchers.pop()
            other.stop()
            if len(watchers) % 2:
                other.start()
        gc.collect()

    for path in paths:
        watchers.append(loop.stat(path, 0.1, upset))
        watchers[-1].start()
    for path in paths:
        path.write_bytes(b"")
    run_until(loop, lambda: calls)
    settle(loop)
    loop.verify()
    calls.clear()
    (tmp_path / "other").write_bytes(b"")
    run_until(loop, lambda: str(tmp_path / "other") in calls)
    loop.close()


def test_priority(loop, tmp_path):
    path = tmp_path / "file"
    order = []
    low = loop.stat(path, 0.1, lambda watcher, revents: order.append("low"), priority=-2)
    high = loop.stat(path, 0.1, lambda watcher, revents: order.append("high"), priority=2)
    low.start()
    high.start()
    path.write_bytes(b"")
    run_until(loop, lambda: len(order) >= 2)
    assert order[:2] == ["high", "low"]


def test_started_by_another_thread(loop, tmp_path):
    path = tmp_path / "file"
    calls = []
    watchers = []
    loop.timer(PATIENCE, 0.0, print).start()

    def begin():
        watchers.append(
            loop.stat(path, 0.1, lambda watcher, revents: (calls.append(1), loop.stop()))
        )
        watchers[0].start()
        path.write_bytes(b"")

    thread = threading.Thread(target=begin)
    thread.start()
    loop.start()
    thread.join()
    assert calls


def test_threads_start_and_stop_while_it_runs(loop, tmp_path):
    paths = [tmp_path / "a" / f"{n}" for n in range(5)]
    done = []

    def churn():
        watchers = [loop.stat(path, 0.1, lambda watcher, revents: None) for path in paths * 2]
        for _ in range(40):
            for watcher in watchers:
                watcher.start()
            for watcher in watchers:
                watcher.stat()
                watcher.stop()
        done.append(1)

    def stir():
        while len(done) < 3:
            (tmp_path / "a").mkdir()
            for path in paths:
                path.write_bytes(b"")
            for path in paths:
                path.unlink()
            (tmp_path / "a").rmdir()

    threads = [threading.Thread(target=churn) for _ in range(3)] + [threading.Thread(target=stir)]
    for thread in threads:
        thread.start()
    # The last stop of a watcher wakes the loop before it is noted here.
    with loop.timer(0.01, 0.01, lambda watcher, revents: None):
        run_until(loop, lambda: len(done) == 3)
    for thread in threads:
        thread.join()
    loop.verify()
    assert inotify_descriptors() == 0
    seen = Seen(loop, paths[0])
    (tmp_path / "a").mkdir()
    paths[0].write_bytes(b"")
    assert seen.expect().st_nlink == 1


def test_looks_of_two_threads_do_not_keep_each_other_at_it(loop, tmp_path):
    """Each would see that the other has begun another look, for ever if they take turns."""
    watcher = loop.stat(tmp_path, 0.1, lambda watcher, revents: None)
    watcher.start()
    done = []

    def look():
        for _ in range(300):
            watcher.stat()
        done.append(1)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    with loop.timer(0.01, 0.01, lambda watcher, revents: None):
        run_until(loop, lambda: len(done) == 4)
    for thread in threads:
        thread.join()
    assert watcher.current.st_nlink


def test_threads_start_and_stop_the_same_one(loop, tmp_path):
    """Looking at a path lets others run: each start and stop counts once all the same."""
    path = tmp_path / "file"
    watcher = loop.stat(path, 0.1, lambda watcher, revents: None)
    done = []

    def churn():
        for _ in range(15):
            watcher.start()
            watcher.stop()
        done.append(1)

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    loop.ref()
    with loop.timer(0.001, 0.001, lambda watcher, revents: None):
        while len(done) < 4:
            path.write_bytes(b"")
            assert loop.start(ev.EVRUN_ONCE)
            path.unlink()
    for thread in threads:
        thread.join()
    loop.verify()
    assert loop.start(ev.EVRUN_NOWAIT)
    loop.unref()
    assert not loop.watchers
    assert not loop.start(ev.EVRUN_NOWAIT)
    assert inotify_descriptors() == 0
    seen = Seen(loop, path)
    path.write_bytes(b"")
    assert seen.expect().st_nlink == 1


def test_same_as_polling_after_reset(loop, tmp_path):
    path = tmp_path / "file"
    seen = Seen(loop, path)
    loop.start(ev.EVRUN_NOWAIT)
    loop.reset()
    path.write_bytes(b"1")  # before the new descriptor is there
    assert seen.expect().st_nlink == 1
    seen.calls.clear()
    path.unlink()
    assert seen.expect().st_nlink == 0


# Forks


def in_child(work):
    """Whether work() in a forked child returns true."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_child_and_parent_are_both_told(loop, tmp_path):
    path = tmp_path / "file"
    seen = Seen(loop, path)
    loop.start(ev.EVRUN_NOWAIT)

    def child():
        path.write_bytes(b"12345")
        seen.expect(lambda: seen.watcher.current.st_size == 5)
        path.unlink()
        return seen.expect(lambda: not seen.watcher.current.st_nlink) is not None

    assert in_child(child)
    path.write_bytes(b"1")
    assert seen.expect(lambda: seen.watcher.current.st_size == 1)


@pytest.mark.parametrize("ending", ["stop", "close", "restart"])
def test_child_does_not_disturb_the_parent(loop, tmp_path, ending):
    paths = [tmp_path / "1", tmp_path / "2"]
    seen = [Seen(loop, path) for path in paths]
    loop.start(ev.EVRUN_NOWAIT)

    def child():
        if ending == "close":
            loop.close()
        else:
            seen[0].watcher.stop()
        if ending == "restart":
            seen[0].watcher.start()
            paths[0].mkdir()
            return seen[0].expect().st_nlink
        return True

    assert in_child(child)
    for path, each in zip(paths, seen, strict=True):
        path.with_suffix(".new").write_bytes(b"")
        if path.is_dir():
            path.rmdir()
        path.with_suffix(".new").rename(path)
        assert each.expect(lambda each=each: each.watcher.current.st_nlink == 1)


def test_fork_in_a_callback_with_news_pending(loop, tmp_path):
    """The child must not read what the kernel has for its parent."""
    path = tmp_path / "file"
    seen = Seen(loop, path)
    results = []

    def fork(watcher, revents):
        path.write_bytes(b"12")
        pid = os.fork()
        if pid:
            results.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            return
        try:
            seen.expect(lambda: seen.watcher.current.st_size == 2)
            os._exit(0)
        finally:
            os._exit(1)

    loop.timer(0.0, 0.0, fork, priority=2).start()
    assert seen.expect(lambda: seen.watcher.current.st_size == 2)
    assert results == [0]


# The watcher


def test_attributes(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    watcher = ev.Stat(path, 2.5, loop, print, "data", 1)
    assert (watcher.path, watcher.interval) == (str(path), 2.5)
    assert (watcher.data, watcher.priority, watcher.loop) == ("data", 1, loop)
    assert watcher.current.st_nlink == watcher.previous.st_nlink == 0
    assert watcher.current.st_mtime_ns == 0 and watcher.current.st_mtime == 0.0
    for name in ("path", "interval", "current", "previous"):
        with pytest.raises(AttributeError):
            setattr(watcher, name, None)
    assert repr(watcher).startswith(f"<Stat path={str(path)!r} interval=2.5s stopped, priority 1")
    watcher.start()
    watcher.start()
    assert watcher.active and loop.watchers == (watcher,)
    assert type(watcher.current) is os.stat_result
    assert watcher.current == path.stat()
    assert watcher.current.st_mtime_ns == path.stat().st_mtime_ns


def test_keywords(loop):
    watcher = loop.stat(path="/", interval=1, callback=print, data=2, priority=-1)
    assert (watcher.path, watcher.data, watcher.priority) == ("/", 2, -1)
    watcher = ev.Stat(path="/", interval=1, loop=loop, callback=print, data=2, priority=-1)
    assert (watcher.path, watcher.data, watcher.priority) == ("/", 2, -1)
    watcher.set(path="/tmp", interval=2)
    assert (watcher.path, watcher.interval) == ("/tmp", 2.0)


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path, os.path.relpath])
def test_kinds_of_paths(loop, tmp_path, kind, monkeypatch):
    path = tmp_path / "f\udcffle"
    given = kind(path)
    seen = Seen(loop, given)
    assert seen.watcher.path == os.fspath(given)
    monkeypatch.chdir("/")  # a relative path means what it meant
    path.write_bytes(b"")
    assert seen.expect().st_nlink == 1


def test_change_before_first_pass(loop, tmp_path):
    path = tmp_path / "file"
    watcher = loop.stat(path, 0.1, lambda watcher, revents: calls.append(watcher.current))
    calls = []
    path.write_bytes(b"between the constructor and start")
    watcher.start()
    assert watcher.current.st_nlink == 1
    settle(loop)
    assert calls == []
    path.unlink()
    run_until(loop, lambda: calls)
    assert calls[0].st_nlink == 0


def test_change_while_stopped_is_not_reported(loop, tmp_path):
    path = tmp_path / "file"
    seen = Seen(loop, path)
    seen.watcher.stop()
    path.write_bytes(b"")
    settle(loop)
    seen.watcher.start()
    settle(loop)
    assert seen.calls == []
    assert seen.watcher.current.st_nlink == 1


def test_stat_looks_without_calling(loop, tmp_path):
    path = tmp_path / "file"
    seen = Seen(loop, path)
    path.write_bytes(b"12")
    assert seen.watcher.stat() is None
    assert seen.watcher.current.st_size == 2
    assert seen.watcher.previous.st_nlink == 0
    settle(loop)
    assert seen.calls == []
    path.unlink()
    seen.expect()
    stopped = loop.stat(tmp_path, 0, print)
    stopped.stat()
    assert stopped.current == tmp_path.stat()
    assert not stopped.active


def test_set(loop, tmp_path):
    watcher = loop.stat(tmp_path, 1, print)
    watcher.start()
    with pytest.raises(ev.Error):
        watcher.set(tmp_path, 1)
    watcher.stop()
    watcher.set(b"/", 0.5)
    assert (watcher.path, watcher.interval) == (b"/", 0.5)
    assert watcher.current.st_nlink == 0
    watcher.start()
    assert watcher.current.st_ino == os.stat("/").st_ino


def test_pending_is_taken_back(loop, tmp_path):
    path = tmp_path / "file"
    calls = []
    watcher = loop.stat(path, 0.1, lambda watcher, revents: calls.append(revents))
    watcher.start()
    watcher.feed(ev.EV_STAT | ev.EV_CUSTOM)
    assert watcher.pending
    watcher.stop()
    settle(loop)
    assert calls == []
    watcher.feed(ev.EV_CUSTOM)
    watcher.invoke(ev.EV_STAT)
    loop.invoke()
    assert calls == [ev.EV_STAT, ev.EV_CUSTOM]


def test_subclass_equal_to_everything_and_unhashable(loop, tmp_path):
    class Odd(ev.Stat):
        __hash__ = None

        def __eq__(self, other):
            return True

    calls = []
    watchers = [
        Odd(tmp_path / name, 0.1, loop, lambda watcher, revents: calls.append(watcher.path))
        for name in "ab"
    ]
    for watcher in watchers:
        watcher.start()
    (tmp_path / "b").write_bytes(b"")
    run_until(loop, lambda: calls)
    watchers[0].stop()
    (tmp_path / "b").unlink()
    run_until(loop, lambda: len(calls) >= 2)
    assert set(calls) == {str(tmp_path / "b")}


@pytest.mark.parametrize(
    ("path", "interval", "error"),
    [
        (None, 0, TypeError),
        (3, 0, TypeError),
        (object(), 0, TypeError),
        (bytearray(b"/"), 0, TypeError),
        ("/a\0b", 0, ValueError),
        (b"/a\0b", 0, ValueError),
        ("", 0, ValueError),
        (b"", 0, ValueError),
        ("/\ud800", 0, ValueError),
        ("/", -1, ValueError),
        ("/", float("nan"), ValueError),
        ("/", "1", TypeError),
        ("/", None, TypeError),
    ],
)
def test_bad_arguments(loop, path, interval, error):
    with pytest.raises(error):
        loop.stat(path, interval, print)
    watcher = loop.stat("/", 1, print)
    with pytest.raises(error):
        watcher.set(path, interval)
    with pytest.raises(error):
        watcher.__init__(path, interval, loop, repr)
    assert (watcher.path, watcher.interval, watcher.callback) == ("/", 1.0, print)


def test_bad_callback_loop_and_priority(loop):
    with pytest.raises(TypeError):
        ev.Stat("/", 0, loop, 3)
    with pytest.raises(TypeError):
        ev.Stat("/", 0, None, print)
    with pytest.raises(TypeError):
        ev.Stat("/", 0, loop, print, None, "high")


def test_unmade(loop):
    watcher = ev.Stat.__new__(ev.Stat)
    for use in (watcher.start, watcher.stat):
        with pytest.raises(ev.Error):
            use()
    watcher.stop()
    assert (watcher.path, watcher.active, watcher.loop) == (None, False, None)
    assert repr(watcher).startswith("<Stat")
    watcher.set("/", 0)
    with pytest.raises(ev.Error):
        watcher.start()


def test_extreme_paths_and_intervals(loop, tmp_path):
    watchers = [
        loop.stat("/" + "x" * 300, 0, print),
        loop.stat("/x" * 5000, 0, print),
        loop.stat("/", 1e300, print),
        loop.stat("/", float("inf"), print),
        loop.stat("/", 1e-300, print),
        loop.stat("/proc/self/fd/0/x", 0, print),
        loop.stat("/dev/null/x", 0, print),
        loop.stat("/dev/null", 0, print),
        loop.stat(f"{tmp_path}/../" + "../" * 60 + "tmp", 0, print),
    ]
    for watcher in watchers:
        watcher.start()
    settle(loop)
    assert [bool(watcher.current.st_nlink) for watcher in watchers] == [
        False, False, True, True, True, False, False, True, True,
    ]  # fmt: skip
