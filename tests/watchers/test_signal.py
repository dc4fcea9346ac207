"""Signal: arrivals in any thread at any time, and handlers that come back."""

import signal
import textwrap

import pytest

import everloop
from everloop import EV_SIGNAL, EVRUN_NOWAIT, Error


def noop(watcher, revents):
    pass


# Helpers for the programs: the signals that a mask of this thread or process holds.
MASKS = """
def blocked(signum):
    return signum in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def in_c(signum):
    '''What the kernel does with the signal: caught, ignored or default.'''
    with open("/proc/self/status") as file:
        fields = dict(line.split(":") for line in file)
    for name, field in (("caught", "SigCgt"), ("ignored", "SigIgn")):
        if int(fields[field], 16) >> (signum - 1) & 1:
            return name
    return "default"


def deliver(signum=signal.SIGUSR1):
    os.kill(os.getpid(), signum)

"""


@pytest.fixture
def run(run_program):
    def run(source, expected="", **kwargs):
        return run_program(MASKS + textwrap.dedent(source), expected, **kwargs)

    return run


FLAGS = pytest.mark.parametrize("flags", ["EVFLAG_AUTO", "EVFLAG_SIGNALFD"])


# Arriving


@FLAGS
def test_calls_when_the_signal_arrives(run, flags):
    run(
        f"""
        loop = Loop({flags})
        loop.signal(signal.SIGUSR1, lambda w, e: print(w.signum, e == EV_SIGNAL)).start()
        deliver()
        loop.start(EVRUN_ONCE)
        """,
        f"{int(signal.SIGUSR1)} True",
    )


@FLAGS
def test_ends_the_wait_of_the_loop(run, flags):
    run(
        f"""
        loop = Loop({flags})
        loop.signal(signal.SIGUSR1, lambda w, e: loop.stop()).start()
        for _ in range(3):
            when_blocked(deliver)
            loop.start()
        print("done")
        """,
        "done",
    )


def test_a_signal_during_a_long_call_into_c_is_served_after_it(run):
    run(
        """
        called = []
        loop = Loop()
        loop.signal(signal.SIGALRM, lambda w, e: called.append(w.signum)).start()
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            sum(range(3_000_000))
        assert called == []
        loop.start(EVRUN_NOWAIT)
        loop.start(EVRUN_NOWAIT)
        print(called)
        """,
        f"[{int(signal.SIGALRM)}]",
    )


def test_a_loop_in_another_thread_is_woken_while_the_main_thread_computes(run):
    run(
        """
        called = []
        loop = Loop()
        loop.signal(signal.SIGUSR1, lambda w, e: (called.append(1), loop.stop())).start()
        thread = threading.Thread(target=loop.start)
        when_blocked(deliver, thread)
        thread.start()
        while thread.is_alive():
            sum(range(100_000))
        thread.join()
        print(called)
        """,
        "[1]",
    )


def test_a_loop_in_another_thread_starts_and_stops_its_watchers(run):
    run(
        """
        def work():
            with Loop() as loop:
                watcher = loop.signal(signal.SIGUSR1, lambda w, e: loop.stop())
                with watcher:
                    when_blocked(deliver, threading.current_thread())
                    loop.start()
            print(in_c(signal.SIGUSR1))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
        "default",
    )


@FLAGS
def test_of_a_storm_the_last_one_is_not_lost(run, flags):
    run(
        f"""
        COUNT = 100_000
        sent, calls = 0, 0
        loop = Loop({flags} | EVFLAG_NOSIGMASK)
        if {flags}:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

        def callback(watcher, revents):
            global calls
            calls += 1
            if sent == COUNT:
                loop.stop()

        def storm():
            global sent
            for number in range(COUNT):
                sent = number + 1
                deliver()

        loop.signal(signal.SIGUSR1, callback).start()
        thread = threading.Thread(target=storm)
        thread.start()
        loop.start()
        thread.join()
        assert 0 < calls <= COUNT
        loop.verify()
        print(sent)
        """,
        "100000",
        hangs_after=80,
    )


def test_several_signals_come_by_ascending_number(run):
    run(
        """
        loop = Loop()
        numbers = [signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1]
        order = []
        for number in numbers:
            loop.signal(number, lambda w, e: order.append(w.signum)).start()
        for number in numbers:
            deliver(number)
        loop.start(EVRUN_NOWAIT)
        loop.start(EVRUN_NOWAIT)
        assert order == sorted(order), order
        print(len(order))
        """,
        "4",
    )


@FLAGS
def test_real_time_signals(run, flags):
    run(
        f"""
        loop = Loop({flags})
        numbers = [signal.SIGRTMIN, signal.SIGRTMIN + 5, signal.SIGRTMAX]
        seen = []
        for number in numbers:
            loop.signal(number, lambda w, e: seen.append(w.signum)).start()
        for number in numbers:
            deliver(number)
        for _ in range(3):
            loop.start(EVRUN_NOWAIT)
        print(seen == numbers)
        """,
        "True",
    )


# Several watchers, several loops


@FLAGS
def test_several_watchers_of_a_signal_are_all_called(run, flags):
    run(
        f"""
        loop = Loop({flags})
        order = []
        watchers = [
            loop.signal(signal.SIGUSR1, lambda w, e: order.append(w.data), i) for i in range(4)
        ]
        for watcher in watchers:
            watcher.start()
        watchers[2].stop()
        deliver()
        loop.start(EVRUN_ONCE)
        loop.start(EVRUN_NOWAIT)
        print(*order)
        """,
        "0 1 3",
    )


def test_the_handler_stays_until_the_last_watcher_stops(run):
    run(
        """
        loop = Loop()
        first, second = (loop.signal(signal.SIGUSR1, noop) for _ in range(2))
        first.start()
        second.start()
        first.stop()
        print(in_c(signal.SIGUSR1))
        second.stop()
        print(in_c(signal.SIGUSR1))
        """,
        "caught default",
    )


@FLAGS
def test_a_signal_belongs_to_one_loop(run, flags):
    run(
        f"""
        first, second = Loop({flags}), Loop({flags})
        mine, theirs = (loop.signal(signal.SIGUSR1, noop) for loop in (first, second))
        mine.start()
        print(raised(theirs.start), theirs.active)
        second.verify()
        mine.stop()
        theirs.start()
        print(raised(mine.start))
        second.close()
        mine.start()
        print(mine.active)
        """,
        "Error False Error True",
    )


# What was there before


def test_a_python_handler_comes_back(run):
    run(
        """
        def handler(signum, frame):
            print("handler")

        signal.signal(signal.SIGUSR1, handler)
        loop = Loop()
        watcher = loop.signal(signal.SIGUSR1, lambda w, e: print("watcher"))
        with watcher:
            deliver()
            loop.start(EVRUN_ONCE)
            assert signal.getsignal(signal.SIGUSR1) is handler
        assert signal.getsignal(signal.SIGUSR1) is handler
        deliver()
        """,
        "watcher handler",
    )


@pytest.mark.parametrize("name", ["SIG_DFL", "SIG_IGN"])
def test_default_and_ignored_come_back(run, name):
    expected = {"SIG_DFL": "default", "SIG_IGN": "ignored"}[name]
    run(
        f"""
        signal.signal(signal.SIGUSR1, signal.{name})
        loop = Loop()
        with loop.signal(signal.SIGUSR1, noop):
            print(in_c(signal.SIGUSR1))
        print(in_c(signal.SIGUSR1))
        print(signal.getsignal(signal.SIGUSR1) == signal.{name})
        """,
        f"caught {expected} True",
    )


def test_a_handler_set_meanwhile_stays(run):
    run(
        """
        loop = Loop()
        watcher = loop.signal(signal.SIGUSR1, noop)
        watcher.start()
        signal.signal(signal.SIGUSR1, lambda signum, frame: print("handler"))
        watcher.stop()
        deliver()
        """,
        "handler",
    )


def test_ctrl_c_works_again_after_a_watcher_stopped(run):
    run(
        """
        loop = Loop()
        with loop.signal(signal.SIGINT, lambda w, e: print("watcher")):
            interrupt()
            loop.start(EVRUN_ONCE)
        timer = loop.timer(60.0, 0.0, noop)
        timer.start()
        when_blocked(interrupt)
        print(raised(loop.start))
        """,
        "watcher KeyboardInterrupt",
    )


def test_closing_the_loop_brings_the_handler_back(run):
    run(
        """
        loop = Loop()
        loop.signal(signal.SIGUSR1, noop).start()
        print(in_c(signal.SIGUSR1))
        loop.close()
        print(in_c(signal.SIGUSR1))
        """,
        "caught default",
    )


def test_dropping_the_loop_brings_the_handler_back(run):
    run(
        """
        signal.signal(signal.SIGUSR1, lambda signum, frame: print("handler"))
        loop = Loop()
        loop.signal(signal.SIGUSR1, noop).start()
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        print(gone())
        deliver()
        """,
        "None handler",
    )


def test_beside_faulthandler(run):
    complained = run(
        """
        faulthandler.register(signal.SIGUSR2)
        loop = Loop()
        watched = []
        with loop.signal(signal.SIGUSR2, lambda w, e: watched.append(e)):
            deliver(signal.SIGUSR2)
            loop.start(EVRUN_ONCE)
        print(len(watched))
        sys.stderr.write("before\\n")
        sys.stderr.flush()
        deliver(signal.SIGUSR2)
        print(faulthandler.unregister(signal.SIGUSR2))
        """,
        "1 True",
    )
    before, _, after = complained.partition("before")
    assert "most recent call first" not in before
    assert "most recent call first" in after


# Fed


def test_feed_signal_from_threads(run):
    run(
        """
        loop = Loop()
        fed = 0

        def callback(watcher, revents):
            if fed == 8:
                loop.stop()

        def feed():
            global fed
            for _ in range(2000):
                ev.feed_signal(signal.SIGUSR1)
            with lock:
                fed += 1
            ev.feed_signal(signal.SIGUSR1)

        lock = threading.Lock()
        loop.signal(signal.SIGUSR1, callback).start()
        threads = [threading.Thread(target=feed) for _ in range(8)]
        for thread in threads:
            thread.start()
        loop.start()
        for thread in threads:
            thread.join()
        print(fed)
        """,
        "8",
    )


def test_feed_signal_ends_the_wait(run):
    run(
        """
        loop = Loop()
        loop.signal(signal.SIGUSR1, lambda w, e: loop.stop()).start()
        when_blocked(lambda: ev.feed_signal(signal.SIGUSR1))
        loop.start()
        print("done")
        """,
        "done",
    )


def test_feed_signal_that_nobody_watches_does_nothing(loop):
    everloop.feed_signal(signal.SIGUSR1)
    loop.signal(signal.SIGUSR1, noop)
    everloop.feed_signal(signal.SIGUSR1)
    loop.start(EVRUN_NOWAIT)
    assert loop.pending == 0


def test_feed_signal_event_is_for_one_loop(run):
    run(
        """
        first, second = Loop(), Loop()
        seen = []
        first.signal(signal.SIGUSR1, lambda w, e: seen.append(e)).start()
        second.feed_signal_event(signal.SIGUSR1)
        second.start(EVRUN_NOWAIT)
        first.start(EVRUN_NOWAIT)
        print(len(seen))
        first.feed_signal_event(signal.SIGUSR1)
        print(first.pending)
        first.start(EVRUN_NOWAIT)
        print(seen == [EV_SIGNAL])
        """,
        "0 1 True",
    )


@pytest.mark.parametrize("signum", [0, -1, 65, 1000, 10**6, -(10**6)])
def test_feeding_what_is_no_signal_is_refused(loop, signum):
    with pytest.raises(ValueError):
        everloop.feed_signal(signum)
    with pytest.raises(ValueError):
        loop.feed_signal_event(signum)


# The mask


def test_starting_takes_the_signal_out_of_the_mask(run):
    run(
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        loop = Loop()
        loop.signal(signal.SIGUSR1, noop).start()
        print(blocked(signal.SIGUSR1))
        """,
        "False",
    )


@pytest.mark.parametrize("blocked", [False, True])
def test_nosigmask_leaves_the_mask_alone(run, blocked):
    run(
        f"""
        if {blocked}:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        for flag in (0, EVFLAG_SIGNALFD):
            loop = Loop(EVFLAG_NOSIGMASK | flag)
            with loop.signal(signal.SIGUSR1, noop):
                print(blocked(signal.SIGUSR1))
            print(blocked(signal.SIGUSR1))
        """,
        f"{blocked} " * 4,
    )


def test_signalfd_blocks_the_signal_while_it_is_watched(run):
    run(
        """
        loop = Loop(EVFLAG_SIGNALFD)
        with loop.signal(signal.SIGUSR1, noop):
            print(blocked(signal.SIGUSR1), in_c(signal.SIGUSR1))
        print(blocked(signal.SIGUSR1), in_c(signal.SIGUSR1))
        """,
        "True default False default",
    )


def test_signalfd_is_closed_with_the_last_watcher(run):
    run(
        """
        def signalfds():
            with os.scandir("/proc/self/fd") as listing:
                names = [entry.path for entry in listing]
            return sum(
                os.readlink(name) == "anon_inode:[signalfd]" for name in names
                if os.path.lexists(name)
            )

        loop = Loop(EVFLAG_SIGNALFD)
        first, second = (loop.signal(n, noop) for n in (signal.SIGUSR1, signal.SIGUSR2))
        print(signalfds())
        first.start()
        second.start()
        print(signalfds())
        first.stop()
        print(signalfds())
        second.stop()
        print(signalfds())
        first.start()
        loop.close()
        print(signalfds())
        """,
        "0 1 1 0 0",
    )


# Arguments


@pytest.mark.parametrize("signum", [0, -1, 65, 1000, signal.SIGKILL, signal.SIGSTOP])
def test_numbers_of_no_signal_that_can_be_watched_are_refused(loop, signum):
    with pytest.raises(ValueError):
        loop.signal(signum, noop)
    watcher = loop.signal(signal.SIGUSR1, noop)
    with pytest.raises(ValueError):
        watcher.set(signum)
    assert watcher.signum == signal.SIGUSR1


def test_wrong_types_are_refused(loop):
    for signum in ("SIGUSR1", 10.0, None):
        with pytest.raises(TypeError):
            loop.signal(signum, noop)
    with pytest.raises(OverflowError):
        loop.signal(2**40, noop)
    with pytest.raises(TypeError):
        loop.signal(signal.SIGUSR1, None)


def test_a_number_that_the_c_library_keeps_is_an_os_error(run):
    run(
        """
        loop = Loop()
        watcher = loop.signal(32, noop)
        print(raised(watcher.start), watcher.active)
        loop.verify()
        """,
        "OSError False",
    )


def test_attributes_and_set(run):
    run(
        """
        loop = Loop()
        watcher = loop.signal(signal.SIGUSR1, noop, "data", -1)
        print(watcher.signum == signal.SIGUSR1, watcher.data, watcher.priority)
        watcher.start()
        print(raised(watcher.set, signal.SIGUSR2), raised(setattr, watcher, "signum", 1))
        watcher.stop()
        watcher.set(signal.SIGUSR2)
        watcher.start()
        print(in_c(signal.SIGUSR1), in_c(signal.SIGUSR2))
        """,
        "True data -1 Error AttributeError default caught",
    )


def test_fed_by_hand_calls_without_a_signal(loop):
    seen = []
    watcher = loop.signal(signal.SIGUSR1, lambda w, e: seen.append(e))
    watcher.feed(EV_SIGNAL)
    loop.invoke()
    assert seen == [EV_SIGNAL]
    assert not watcher.active


def test_of_a_closed_loop_can_not_be_started(new_loop):
    loop = new_loop()
    watcher = loop.signal(signal.SIGUSR1, noop)
    loop.close()
    with pytest.raises(Error):
        watcher.start()


def test_stopped_while_pending_does_not_call(run):
    run(
        """
        loop = Loop()
        watcher = loop.signal(signal.SIGUSR1, lambda w, e: print("called"))
        watcher.start()
        loop.feed_signal_event(signal.SIGUSR1)
        watcher.stop()
        loop.start(EVRUN_NOWAIT)
        print(loop.pending)
        """,
        "0",
    )
