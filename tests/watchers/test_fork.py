"""Fork: told in a forked child, and after reset()."""

import pytest

import everloop
from everloop import EV_FORK, EVRUN_NOWAIT, Error


def noop(watcher, revents):
    pass


def test_reset_calls_in_the_next_pass_and_once(loop):
    seen = []
    watcher = loop.fork(lambda w, e: seen.append((w, e)))
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert seen == []
    loop.reset()
    assert seen == []
    loop.start(EVRUN_NOWAIT)
    loop.start(EVRUN_NOWAIT)
    assert seen == [(watcher, EV_FORK)]


def test_comes_before_anything_else_in_the_pass(loop):
    order = []
    loop.prepare(lambda w, e: order.append("prepare"), None, 2).start()
    loop.check(lambda w, e: order.append("check"), None, 2).start()
    loop.timer(0.0, 0.0, lambda w, e: order.append("timer"), None, 2).start()
    loop.fork(lambda w, e: order.append("fork"), None, -2).start()
    loop.reset()
    loop.start(EVRUN_NOWAIT)
    assert order[0] == "fork"
    assert sorted(order[1:]) == ["check", "prepare", "timer"]


def test_the_highest_priority_comes_first(loop):
    order = []
    for priority in (0, 2, -2, 1, -1):
        loop.fork(lambda w, e: order.append(w.priority), None, priority).start()
    loop.reset()
    loop.start(EVRUN_NOWAIT)
    assert order == [2, 1, 0, -1, -2]


def test_stopped_is_not_called(loop):
    seen = []
    watcher = loop.fork(lambda w, e: seen.append(e))
    watcher.start()
    loop.reset()
    watcher.stop()
    loop.start(EVRUN_NOWAIT)
    assert seen == []


def test_one_stopped_by_another_is_not_called(loop):
    seen = []
    victim = loop.fork(lambda w, e: seen.append("victim"))
    loop.fork(lambda w, e: victim.stop(), None, 2).start()
    victim.start()
    loop.reset()
    loop.start(EVRUN_NOWAIT)
    assert seen == []
    loop.verify()


def test_may_stop_the_loop(loop):
    seen = []
    loop.check(lambda w, e: seen.append("check")).start()
    loop.fork(lambda w, e: loop.stop()).start()
    loop.reset()
    assert loop.start() is True
    assert seen == []


def test_fatal_exception_is_raised(loop):
    @everloop.fatal
    def callback(watcher, revents):
        raise ZeroDivisionError

    loop.fork(callback).start()
    loop.reset()
    with pytest.raises(ZeroDivisionError):
        loop.start(EVRUN_NOWAIT)
    assert loop.start(EVRUN_NOWAIT) is True


def test_of_a_closed_loop_can_not_be_started(new_loop):
    loop = new_loop()
    watcher = loop.fork(noop)
    watcher.start()
    loop.close()
    assert not watcher.active
    with pytest.raises(Error):
        watcher.start()


FORKED = """
seen = []
loop = Loop({flags})
loop.fork(lambda w, e: seen.append(e)).start()
loop.start(EVRUN_NOWAIT)
pid = os.fork()
loop.start(EVRUN_NOWAIT)
loop.start(EVRUN_NOWAIT)
loop.verify()
if not pid:
    os._exit(0 if seen == [EV_FORK] else 1)
assert seen == []
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_called_in_the_child_only_and_once(run_program, backend):
    run_program(FORKED.format(flags=backend), "0")


def test_fork_check_finds_out_too(run_program):
    run_program(FORKED.format(flags="EVFLAG_FORKCHECK"), "0")


def test_called_in_a_grandchild_again(run_program):
    run_program(
        """
        seen = []
        loop = Loop()
        loop.fork(lambda w, e: seen.append(os.getpid())).start()
        depth = 0
        for depth in range(4):
            pid = os.fork()
            if pid:
                assert os.waitpid(pid, 0)[1] == 0
                break
            loop.start(EVRUN_NOWAIT)
            assert seen[-1] == os.getpid()
            assert len(seen) == depth + 1
        if depth:
            os._exit(0)
        print(len(seen))
        """,
        "0",
    )


def test_forking_in_a_callback(run_program):
    run_program(
        """
        seen = []
        loop = Loop()

        def callback(watcher, revents):
            pid = os.fork()
            if pid:
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                loop.stop()

        def forked(watcher, revents):
            os._exit(7)

        loop.fork(forked).start()
        loop.timer(0.0, 0.0, callback).start()
        loop.start()
        """,
        "7",
    )


def test_the_child_has_the_kernels_side_to_itself(run_program):
    run_program(
        """
        loop = Loop()
        r, w = pipe()
        loop.io(r, EV_READ, lambda watcher, e: print("parent", os.read(r, 1))).start()
        loop.start(EVRUN_NOWAIT)
        pid = os.fork()
        if not pid:
            for watcher in loop.watchers:
                watcher.stop()
            loop.start(EVRUN_NOWAIT)
            loop.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        os.write(w, b"x")
        loop.start(EVRUN_ONCE)
        """,
        "parent b'x'",
    )
