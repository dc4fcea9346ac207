"""Child: the ends of child processes, each told once and none taken from others."""

import os

import pytest

from everloop import Error

HELPERS = """
def fork(function=lambda: 0):
    '''A child process that ends with the status that the function returns.'''
    pid = os.fork()
    if not pid:
        try:
            os._exit(function())
        finally:
            os._exit(99)
    return pid


def blocked_child():
    '''A child that ends, with status 3, when the descriptor given back is written to.'''
    r, w = os.pipe()
    pid = fork(lambda: 3 if os.read(r, 1) else 4)
    os.close(r)
    return pid, w


def ended(pid):
    '''Wait until the child has ended, leaving its status.'''
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid

"""


def noop(watcher, revents):
    pass


@pytest.fixture
def run(run_program):
    def run(source, expected="", **kwargs):
        lines = source.splitlines()
        return run_program(
            HELPERS + "\n".join(line.removeprefix("        ") for line in lines), expected, **kwargs
        )

    return run


EACH_LOOP = pytest.mark.parametrize("make_loop", ["Loop()", "ev.default_loop()"])


@EACH_LOOP
def test_tells_how_the_child_ended(run, make_loop):
    run(
        f"""
        loop = {make_loop}

        def callback(watcher, revents):
            print(revents == EV_CHILD, watcher.rpid == pid, watcher.returncode)
            print(os.WEXITSTATUS(watcher.rstatus), watcher.active)
            watcher.stop()

        pid, w = blocked_child()
        loop.child(pid, False, callback).start()
        os.write(w, b"x")
        print(loop.start())
        """,
        "True True 3 3 True False",
    )


@EACH_LOOP
def test_a_child_that_ended_before_the_start_is_told_of(run, make_loop):
    run(
        f"""
        loop = {make_loop}
        pid = ended(fork(lambda: 5))
        watcher = loop.child(pid, False, lambda w, e: (print(w.returncode), w.stop()))
        watcher.start()
        loop.start()
        """,
        "5",
    )


def test_a_child_killed_by_a_signal_has_a_negative_returncode(run):
    run(
        """
        loop = Loop()
        pid, w = blocked_child()
        watcher = loop.child(pid, False, lambda w, e: w.stop())
        print(watcher.returncode, watcher.rpid, watcher.rstatus)
        watcher.start()
        os.kill(pid, signal.SIGKILL)
        loop.start()
        print(watcher.returncode, os.WTERMSIG(watcher.rstatus))
        """,
        "None 0 0 -9 9",
    )


@EACH_LOOP
def test_several_watchers_of_one_child_are_all_told(run, make_loop):
    run(
        f"""
        loop = {make_loop}
        pid, w = blocked_child()
        watchers = [loop.child(pid, False, lambda w, e: w.stop()) for _ in range(5)]
        for watcher in watchers:
            watcher.start()
        watchers.pop(2).stop()
        os.write(w, b"x")
        print(loop.start(), [watcher.returncode for watcher in watchers])
        loop.verify()
        """,
        "False [3, 3, 3, 3]",
    )


def test_the_status_is_taken_and_the_child_gone(run):
    run(
        """
        loop = Loop()
        pid = fork()
        loop.child(pid, False, lambda w, e: w.stop()).start()
        loop.start()
        print(raised(os.waitpid, pid, 0))
        print(raised(loop.child(pid, False, noop).start))
        """,
        "ChildProcessError ChildProcessError",
    )


@EACH_LOOP
def test_not_our_child_is_an_error_that_names_the_pid(run, make_loop):
    run(
        f"""
        loop = {make_loop}
        for pid in (1, os.getpid(), 2**22 + 1):
            watcher = loop.child(pid, False, noop)
            try:
                watcher.start()
            except ChildProcessError as error:
                print(str(pid) in str(error), watcher.active)
        loop.verify()
        print(loop.start())
        """,
        "True False " * 3 + "False",
    )


# Others' children


@EACH_LOOP
@pytest.mark.parametrize("watching", [False, True])
def test_subprocess_keeps_working(run, make_loop, watching):
    run(
        f"""
        import subprocess
        loop = {make_loop}
        pid, w = blocked_child()
        if {watching}:
            loop.child(pid, False, noop).start()
        process = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
        ended(process.pid)
        for _ in range(5):
            loop.start(EVRUN_NOWAIT)
        print(process.wait())
        print(subprocess.run(["/bin/sh", "-c", "echo out; exit 6"], capture_output=True).returncode)
        """,
        "7 6",
    )


def test_tracing_one_child_leaves_the_others_alone(run):
    run(
        """
        import subprocess
        loop = ev.default_loop()
        pid, w = blocked_child()
        loop.child(pid, True, lambda w, e: (print(w.returncode), w.stop())).start()
        process = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
        ended(process.pid)
        for _ in range(5):
            loop.start(EVRUN_NOWAIT)
        print(process.wait())
        os.write(w, b"x")
        loop.start()
        """,
        "7 3",
    )


def test_a_status_taken_by_somebody_else_is_reported_as_255(run):
    run(
        """
        import warnings
        loop = Loop()
        pid, w = blocked_child()
        watcher = loop.child(pid, False, lambda w, e: w.stop())
        watcher.start()
        loop.start(EVRUN_NOWAIT)
        os.write(w, b"x")
        os.waitpid(pid, 0)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            loop.start()
        print(watcher.returncode, watcher.rpid == pid)
        print(warned[0].category.__name__, str(pid) in str(warned[0].message), len(warned))
        """,
        "255 True RuntimeWarning True 1",
    )


# Any child, and trace


def test_any_child(run):
    run(
        """
        loop = ev.default_loop()
        seen = {}

        def callback(watcher, revents):
            seen[watcher.rpid] = watcher.returncode
            if len(seen) == 5:
                watcher.stop()

        loop.child(0, False, callback).start()
        pids = [fork(lambda i=i: i) for i in range(5)]
        print(loop.start(), seen == dict(zip(pids, range(5))))
        """,
        "False True",
    )


def test_stopped_and_continued(run):
    run(
        """
        loop = ev.default_loop()
        pid, w = blocked_child()

        def callback(watcher, revents):
            if os.WIFSTOPPED(watcher.rstatus):
                print("stopped", watcher.returncode)
                os.kill(pid, signal.SIGCONT)
            elif os.WIFCONTINUED(watcher.rstatus):
                print("continued", watcher.returncode)
                os.write(w, b"x")
            else:
                print("ended", watcher.returncode)
                watcher.stop()

        loop.child(pid, True, callback).start()
        os.kill(pid, signal.SIGSTOP)
        loop.start()
        """,
        "stopped None continued None ended 3",
    )


def test_sigchld_handler_comes_back_with_the_last_such_watcher(run):
    run(
        """
        loop = ev.default_loop()
        signal.signal(signal.SIGCHLD, lambda signum, frame: print("handler"))
        watcher = loop.child(0, False, noop)
        watcher.start()
        watcher.stop()
        ended(fork())
        print(loop.start(EVRUN_NOWAIT))
        """,
        "handler False",
    )


def test_any_child_and_trace_need_the_default_loop(loop):
    for pid, trace in ((0, False), (0, True), (os.getpid(), True)):
        with pytest.raises(Error):
            loop.child(pid, trace, noop)
    watcher = loop.child(os.getpid(), False, noop)
    with pytest.raises(Error):
        watcher.set(0, False)
    assert watcher.pid == os.getpid()


# Many


def test_none_of_a_thousand_is_lost_by_pidfd(run):
    run(
        """
        COUNT = 1000
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if limit != resource.RLIM_INFINITY and limit < COUNT + 100:
            COUNT = limit - 100
        resource.setrlimit(resource.RLIMIT_NOFILE, (COUNT + 100, limit))
        r, w = os.pipe()
        loop = Loop()
        watchers = []
        for i in range(COUNT):
            def child(i=i):
                os.close(w)
                os.read(r, 1)
                return i % 200
            watchers.append(loop.child(fork(child), False, lambda w, e: w.stop()))
            watchers[-1].start()
        os.close(w)
        assert loop.start() is False
        print([watcher.returncode for watcher in watchers] == [i % 200 for i in range(COUNT)])
        loop.verify()
        """,
        "True",
        hangs_after=80,
    )


def test_none_of_a_thousand_is_lost_by_sigchld(run):
    run(
        """
        COUNT = 1000
        r, w = os.pipe()
        loop = ev.default_loop()
        seen = {}

        def callback(watcher, revents):
            assert watcher.rpid not in seen
            seen[watcher.rpid] = watcher.returncode
            if len(seen) == COUNT:
                watcher.stop()

        loop.child(0, False, callback).start()
        expected = {}
        for i in range(COUNT):
            def child(i=i):
                os.close(w)
                os.read(r, 1)
                return i % 200
            expected[fork(child)] = i % 200
        os.close(w)
        assert loop.start() is False
        print(seen == expected)
        """,
        "True",
        hangs_after=80,
    )


def test_two_loops_in_two_threads(run):
    run(
        """
        seen = [[], []]

        def work(number):
            with Loop() as loop:
                for pid, w in children[number]:
                    watcher = loop.child(pid, False, lambda w, e: (
                        seen[number].append(w.returncode), w.stop()))
                    watcher.start()
                    os.write(w, b"x")
                loop.start()

        children = [[blocked_child() for _ in range(20)] for _ in range(2)]
        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(seen == [[3] * 20] * 2)
        """,
        "True",
    )


# Forked


def test_a_forked_child_does_not_take_the_parents_statuses(run):
    run(
        """
        loop = Loop()
        pid, w = blocked_child()
        watcher = loop.child(pid, False, lambda w, e: w.stop())
        watcher.start()
        loop.start(EVRUN_NOWAIT)

        def in_child():
            loop.start(EVRUN_NOWAIT)
            loop.verify()
            own = loop.child(fork(lambda: 8), False, lambda w, e: loop.stop())
            own.start()
            loop.start()
            watcher.stop()
            own.stop()
            loop.verify()
            return own.returncode

        other = fork(in_child)
        print(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
        os.write(w, b"x")
        loop.start()
        print(watcher.returncode)
        """,
        "8 3",
    )


# Attributes and errors


def test_descriptors_are_closed_with_the_watchers(run):
    run(
        """
        count = lambda: len(os.listdir("/proc/self/fd"))
        loop = Loop()
        loop.async_(noop).start()
        pid, w = blocked_child()
        before = count()
        first, second = (loop.child(pid, False, noop) for _ in range(2))
        first.start()
        second.start()
        print(count() - before)
        first.stop()
        print(count() - before)
        second.stop()
        print(count() - before)
        """,
        "1 1 0",
    )


def test_attributes_and_set(run):
    run(
        """
        loop = Loop()
        pid, w = blocked_child()
        watcher = loop.child(1, False, noop, "data", -1)
        print(watcher.pid, watcher.data, watcher.priority)
        watcher.set(pid, False)
        watcher.start()
        print(watcher.pid == pid, raised(watcher.set, 1, False))
        for name in ("pid", "returncode"):
            print(raised(setattr, watcher, name, 1))
        """,
        "1 data -1 True Error" + " AttributeError" * 2,
    )


def test_bad_arguments_are_refused(loop):
    with pytest.raises(ValueError):
        loop.child(-1, False, noop)
    for pid in ("1", 1.0, None):
        with pytest.raises(TypeError):
            loop.child(pid, False, noop)
    with pytest.raises(OverflowError):
        loop.child(2**40, False, noop)
    with pytest.raises(TypeError):
        loop.child(1, False, None)


def test_of_a_closed_loop_can_not_be_started(new_loop):
    loop = new_loop()
    watcher = loop.child(1, False, noop)
    loop.close()
    with pytest.raises(Error):
        watcher.start()


@pytest.mark.parametrize("name", ["rpid", "rstatus"])
def test_what_was_reported_can_be_set_to_whole_numbers_only(loop, name):
    watcher = loop.child(1, False, noop)
    setattr(watcher, name, 7)
    assert getattr(watcher, name) == 7
    for value, error in ((1.5, TypeError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error):
            setattr(watcher, name, value)
    with pytest.raises(OverflowError):
        setattr(watcher, name, 2**40)
    assert getattr(watcher, name) == 7
