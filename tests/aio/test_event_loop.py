"""EventLoop: one object with two faces, and how programs come by it."""

import asyncio
import gc
import os
import signal
import socket
import ssl
import sys
import threading
import warnings
import weakref

import pytest

import everloop

from .helpers import Recorder, connection, in_thread, received, unix_pair


def test_it_is_both(loop):
    assert isinstance(loop, everloop.Loop) and isinstance(loop, asyncio.AbstractEventLoop)
    assert isinstance(loop, asyncio.SelectorEventLoop)
    assert repr(loop) == "<EventLoop running=False closed=False debug=False>"


def test_run():
    async def main():
        assert type(asyncio.get_running_loop()) is everloop.EventLoop
        return asyncio.get_running_loop().get_debug()

    assert everloop.run(main(), debug=True) is True
    assert everloop.run(main(), debug=False) is False
    # Python 3.14 takes all that can be awaited, and raises another exception for the rest.
    with pytest.raises((ValueError, TypeError), match="a coroutine"):
        everloop.run(None)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize(
    "place, name",
    [
        (sys, "set_asyncgen_hooks"),
        (asyncio.events, "_set_running_loop"),
        (everloop.EventLoop, "_set_coroutine_origin_tracking"),
    ],
)
def test_interrupted_while_it_begins_or_ends(loop, monkeypatch, place, name, end, error):
    """Whatever of it was set up has been taken down: the loop can run again."""
    hooks = sys.get_asyncgen_hooks()
    calls = []
    original = getattr(place, name)

    def interrupted(*args, **kwargs):
        calls.append(name)
        if len(calls) == 1 + end:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(place, name, interrupted)
    loop.call_soon(loop.stop)
    with pytest.raises(error):
        loop.run_forever()
    monkeypatch.undo()
    if end and name == "_set_running_loop":
        asyncio._set_running_loop(None)  # what was to be undone could not be
    if end and name == "set_asyncgen_hooks":
        sys.set_asyncgen_hooks(*hooks)
    assert not loop.is_running()
    assert asyncio._get_running_loop() is None
    assert sys.get_asyncgen_hooks() == hooks
    loop.call_soon(loop.stop)
    loop.run_forever()


@pytest.fixture
def without_collections():
    """What other tests left behind is not collected, and traced, between two lines."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("run", ["run_forever", "start"])
def test_trace_function_that_raises_on_any_line(loop, run):
    """As a signal handler may, or a debugger that is left: on each line and return in turn."""
    hooks = sys.get_asyncgen_hooks()
    methods = {everloop.EventLoop.run_forever.__code__, everloop.EventLoop.start.__code__}

    def run_traced(at):
        events = []

        def trace(frame, event, arg):
            if frame.f_code in methods or "asyncio" in frame.f_code.co_filename:
                events.append(event)
                if len(events) == at:
                    raise KeyboardInterrupt
                return trace
            return None

        loop.call_soon(loop.stop)
        sys.settrace(trace)
        try:
            getattr(loop, run)()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        return len(events)

    count = run_traced(0)
    assert count > 2
    for at in range(1, count + 1):
        run_traced(at)
        assert not loop.is_running()
        assert asyncio._get_running_loop() is None
        assert sys.get_asyncgen_hooks() == hooks


def test_runner(loop):
    async def main():
        return asyncio.get_running_loop()

    with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
        first = runner.run(main())
        assert runner.run(main()) is first is runner.get_loop()
    assert first.is_closed() and first.closed


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a parameter of Python 3.12")
def test_loop_factory():
    async def main():
        return type(asyncio.get_running_loop())

    assert asyncio.run(main(), loop_factory=everloop.EventLoop) is everloop.EventLoop


def test_install(run_program):
    run_program(
        """
        import asyncio, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def main():
            return type(asyncio.get_running_loop()) is ev.EventLoop
        ev.install()
        loop = asyncio.new_event_loop()
        print(type(loop) is ev.EventLoop, asyncio.run(main()))
        loop.close()
        """,
        "True True",
    )


def test_programs_of_watchers_do_not_load_asyncio(run_program):
    """Neither by the import nor by asking for the names."""
    run_program(
        """
        names = dir(ev)
        print("asyncio" in sys.modules, {"EventLoop", "run", "install", "new_event_loop"} <= set(names))
        print(raised(getattr, ev, "nothing"))
        ev.EventLoop
        print("asyncio" in sys.modules)
        """,
        "False True AttributeError True",
    )


# Running


@pytest.mark.parametrize("face", [asyncio.run, everloop.run])
def test_run_in_a_running_loop(face, recwarn):
    async def inner():
        pass

    async def outer():
        with pytest.raises(RuntimeError) as caught:
            everloop.run(inner())
        assert caught.value.__context__ is None
        return str(caught.value)

    assert face(outer()) == "everloop.run() cannot be called from a running event loop"
    gc.collect()
    assert not recwarn.list


def test_run_of_what_is_no_coroutine():
    async def outer():
        with pytest.raises(RuntimeError, match="running event loop"):
            everloop.run(None)

    everloop.run(outer())
    with pytest.raises((TypeError, ValueError)):
        everloop.run(None)


def test_nested_runs(loop, run):
    async def main():
        coroutine = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_forever()
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_until_complete(coroutine)
        coroutine.close()
        other = everloop.new_event_loop()
        with other, pytest.raises(RuntimeError, match="another loop is running"):
            other.run_forever()
        assert asyncio.get_running_loop() is loop and loop.is_running()
        await asyncio.sleep(0.001)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a coroutine that can't be run was never awaited
        run(main())


def test_running_in_two_threads(loop, run):
    async def main():
        assert isinstance(in_thread(loop.run_forever), RuntimeError)
        await asyncio.sleep(0.001)

    run(main())


def test_loops_in_many_threads():
    async def main():
        for _ in range(20):
            await asyncio.sleep(0.0001)
        async with connection() as here:
            here.peer.send(b"x")
            await here.protocol.receives(b"x")
        return threading.get_ident()

    results = []
    threads = [
        threading.Thread(target=lambda: results.append(everloop.run(main()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8


def test_async_generators_are_closed(loop, run):
    seen = []

    async def generate():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async def main():
        generator = generate()
        await anext(generator)
        kept.append(generator)
        other = generate()
        await anext(other)
        del other
        await asyncio.sleep(0.001)
        assert seen == ["closed"]

    kept = []
    hooks = sys.get_asyncgen_hooks()
    run(main())
    assert sys.get_asyncgen_hooks() == hooks
    run(loop.shutdown_asyncgens())
    assert seen == ["closed"] * 2


def test_executor(loop, run):
    async def main():
        results = await asyncio.gather(*(asyncio.to_thread(pow, i, 2) for i in range(50)))
        assert results == [i * i for i in range(50)]
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 / 0)

    run(main())


def test_names_are_resolved(loop, run):
    async def main():
        found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert found[0][4] == ("127.0.0.1", 80)
        assert await loop.getnameinfo(
            ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        )

    run(main())


def test_debug_mode(loop):
    loop.set_debug(True)
    assert loop.get_debug() is True
    loop.set_debug(False)
    assert loop.get_debug() is False


def test_task_factories(loop, run):
    seen = []

    def factory(loop, coroutine, **options):
        seen.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def main():
        await asyncio.create_task(asyncio.sleep(0), name="named")

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    run(main())
    assert len(seen) >= 2
    loop.set_task_factory(None)
    with pytest.raises(TypeError):
        loop.set_task_factory(5)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks(loop, run):
    async def main():
        seen = []

        async def work():
            seen.append("eagerly")
            await asyncio.sleep(0)
            seen.append("later")
            return 5

        task = asyncio.create_task(work())
        assert seen == ["eagerly"]
        assert await task == 5
        done = asyncio.create_task(asyncio.sleep(0, "result"))
        assert await done == "result"

    loop.set_task_factory(asyncio.eager_task_factory)
    run(main())


def test_timeouts_and_task_groups(run):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(1000)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0.001, i)) for i in range(10)]
        assert [task.result() for task in tasks] == list(range(10))

    run(main())


# Ends


@pytest.mark.parametrize("times", [1, 2])
def test_use_after_close(loop, times):
    async def main():
        pass

    for _ in range(times):
        loop.close()
    assert loop.is_closed() and loop.closed and not loop.is_running()
    coroutine = main()
    calls = [
        lambda: loop.call_soon(int),
        lambda: loop.call_soon_threadsafe(int),
        lambda: loop.call_later(1, int),
        lambda: loop.call_at(1, int),
        loop.run_forever,
        lambda: loop.run_until_complete(coroutine),
        lambda: loop.create_task(coroutine),
        lambda: loop.run_in_executor(None, int),
        lambda: loop.add_reader(0, int),
        lambda: loop.add_writer(0, int),
        lambda: loop.add_signal_handler(signal.SIGUSR1, int),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="closed"):
            call()
    coroutine.close()
    assert loop.time() > 0
    loop.stop()
    repr(loop)


def test_cancelling_after_close(loop):
    handles = loop.call_soon(int), loop.call_later(1, int)
    loop.close()
    for handle in handles:
        handle.cancel()
        assert handle.cancelled()
        repr(handle)


def test_dropped_loop_is_closed_with_a_warning():
    loop = everloop.new_event_loop()
    loop.call_soon(int)
    loop.call_later(1000, int)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()


def test_dropped_loops_in_cycles():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(20):
            loop = everloop.new_event_loop()
            loop.cycle = loop
            timer = loop.call_later(1000, loop.stop)
            loop.call_soon(loop.stop)
            loop.call_soon(print, timer)
            ends = unix_pair()
            loop.add_reader(ends[0], loop.stop)
            loop.ends = ends
            # The loop last: a collection that comes by itself finds all of it or nothing.
            del ends, timer, loop
        gc.collect()
    assert sum("unclosed event loop" in str(each.message) for each in seen) == 20


def test_closed_loops_are_freed():
    loop = everloop.new_event_loop()
    loop.call_later(1000, loop.stop)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


def test_pending_tasks_of_a_closed_loop(caplog):
    loop = everloop.new_event_loop()
    task = loop.create_task(asyncio.sleep(1000), name="left")
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del task
    gc.collect()
    assert "Task was destroyed but it is pending" in caplog.text


def test_close_from_another_thread_while_it_runs(loop, run):
    async def main():
        assert isinstance(in_thread(loop.close), RuntimeError)
        assert isinstance(in_thread(everloop.Loop.close, loop), everloop.Error)
        await asyncio.sleep(0)

    run(main())


def test_interpreter_ends_with_everything_open(run_program):
    complained = run_program(
        """
        import asyncio
        async def main():
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(noop, "127.0.0.1", 0)
            connection = await asyncio.open_connection(*server.sockets[0].getsockname())
            loop.call_later(1000, noop)
            asyncio.ensure_future(asyncio.sleep(1000))
            loop.add_signal_handler(signal.SIGUSR1, noop)
            return server, connection
        loop = ev.new_event_loop()
        kept = loop.run_until_complete(main())
        print("ends")
        """,
        "ends",
    )
    assert "Fatal" not in complained


def test_ctrl_c(run_program):
    """Cancels the main task, which may clean up; then KeyboardInterrupt leaves run()."""
    run_program(
        """
        import asyncio
        async def main():
            when_blocked(interrupt)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                print("cleaned")
                raise
        print(raised(ev.run, main()))
        """,
        "cleaned KeyboardInterrupt",
    )


def test_ctrl_c_while_busy(run_program):
    run_program(
        """
        import asyncio
        async def main():
            threading.Timer(0.2, interrupt).start()
            while True:
                await asyncio.sleep(0)
        print(raised(ev.run, main()))
        """,
        "KeyboardInterrupt",
    )


def test_ctrl_c_without_a_runner(run_program):
    """KeyboardInterrupt leaves run_forever, and the loop can go on."""
    run_program(
        """
        import asyncio
        loop = ev.new_event_loop()
        when_blocked(interrupt)
        print(raised(loop.run_forever))
        when_blocked(interrupt)
        task = loop.create_task(asyncio.sleep(0.5, "result"))
        print(raised(loop.run_until_complete, task))
        print(loop.run_until_complete(task))
        loop.close()
        """,
        "KeyboardInterrupt KeyboardInterrupt result",
    )


# Signals


@pytest.fixture
def sent(loop):
    """A list to which the handler of SIGUSR1 appends."""
    seen = []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    yield seen
    if not loop.is_closed():
        loop.remove_signal_handler(signal.SIGUSR1)


def test_signal_handlers(loop, run, sent):
    os.kill(os.getpid(), signal.SIGUSR1)
    run(asyncio.sleep(0.01))
    assert sent == [1]
    os.kill(os.getpid(), signal.SIGUSR1)
    run(asyncio.sleep(0.01))
    assert sent == [1, 1]
    loop.add_signal_handler(signal.SIGUSR1, sent.append, 2)
    os.kill(os.getpid(), signal.SIGUSR1)
    run(asyncio.sleep(0.01))
    assert sent == [1, 1, 2]


def test_signal_while_the_loop_waits(loop, when_blocked):
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    when_blocked(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    loop.run_forever()
    assert loop.remove_signal_handler(signal.SIGUSR1) is True
    assert loop.remove_signal_handler(signal.SIGUSR1) is False


def test_signal_handlers_are_given_back(loop):
    before = signal.getsignal(signal.SIGUSR1)
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.remove_signal_handler(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == before
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_sigint_handler(loop, run):
    seen = []
    loop.add_signal_handler(signal.SIGINT, seen.append, "interrupted")
    os.kill(os.getpid(), signal.SIGINT)
    run(asyncio.sleep(0.01))
    assert seen == ["interrupted"]
    loop.remove_signal_handler(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_bad_signal_handlers(loop):
    async def coroutine():
        pass

    for bad in -1, 0, 1000:
        with pytest.raises(ValueError):
            loop.add_signal_handler(bad, int)
        with pytest.raises(ValueError):
            loop.remove_signal_handler(bad)
    with pytest.raises(TypeError):
        loop.add_signal_handler("SIGUSR1", int)
    with pytest.raises(TypeError):
        loop.add_signal_handler(signal.SIGUSR1, coroutine)
    for sig in signal.SIGKILL, signal.SIGSTOP:
        with pytest.raises(RuntimeError, match="cannot be caught"):
            loop.add_signal_handler(sig, int)
    error = in_thread(loop.add_signal_handler, signal.SIGUSR1, int)
    assert isinstance(error, (RuntimeError, ValueError))


def test_signal_handler_that_raises(loop, run, handled):
    loop.add_signal_handler(signal.SIGUSR1, lambda: 1 / 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    run(asyncio.sleep(0.01))
    assert [type(each["exception"]) for each in handled] == [ZeroDivisionError]
    loop.remove_signal_handler(signal.SIGUSR1)


# Pipes and files


def test_pipes(loop, run, pipe):
    async def main():
        ends = pipe()
        reader = asyncio.StreamReader()
        reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ends[0], "rb")
        )
        writing, protocol = await loop.connect_write_pipe(Recorder, os.fdopen(ends[1], "wb"))
        assert isinstance(reading, asyncio.ReadTransport)
        assert isinstance(writing, asyncio.WriteTransport)
        data = os.urandom(1_000_000)
        writing.write(data)
        writing.write_eof()
        assert await reader.read() == data
        await protocol.gets("lost")
        await asyncio.sleep(0.001)

    run(main())


def test_pipe_whose_reader_goes(loop, run, pipe):
    async def main():
        ends = pipe()
        _, protocol = await loop.connect_write_pipe(Recorder, os.fdopen(ends[1], "wb"))
        os.close(ends[0])
        await protocol.gets("lost")
        await asyncio.sleep(0.001)

    run(main())


@pytest.fixture
def file(tmp_path):
    """An open file with three megabytes."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3_000_000))
    with path.open("rb") as file:
        yield file


@pytest.mark.parametrize(("offset", "size"), [(0, None), (1000, 2_000_000), (0, 1)])
def test_sendfile(loop, run, file, offset, size):
    async def main():
        async with connection() as here:
            here.transport.write(b"head")
            data = file.read()[offset : None if size is None else offset + size]
            reading = asyncio.ensure_future(received(here.peer, len(data) + 8))
            assert await loop.sendfile(here.transport, file, offset, size) == len(data)
            assert file.tell() == offset + len(data)
            here.transport.write(b"tail")
            assert await reading == b"head" + data + b"tail"
            here.peer.send(b"reads on")
            await here.protocol.receives(b"reads on")

    run(main())


def test_sendfile_to_a_slow_peer_blocks_writing(loop, run, file):
    async def main():
        async with connection() as here:
            sending = asyncio.ensure_future(loop.sendfile(here.transport, file))
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="sendfile is in progress"):
                here.transport.write(b"x")
            assert len(await received(here.peer, 3_000_000)) == 3_000_000
            assert await sending == 3_000_000

    run(main())


def test_sendfile_to_a_peer_that_is_gone(loop, run, tmp_path):
    async def main():
        async with connection() as here:
            with open(tmp_path / "big", "w+b") as file:
                file.truncate(1 << 28)
                sending = asyncio.ensure_future(loop.sendfile(here.transport, file))
                await asyncio.sleep(0.01)
                here.peer.close()
                with pytest.raises(ConnectionError):
                    await sending
            await here.protocol.gets("lost")

    run(main())


def test_sendfile_that_is_cancelled(loop, run, file):
    async def main():
        async with connection() as here:
            sending = asyncio.ensure_future(loop.sendfile(here.transport, file))
            await asyncio.sleep(0.01)
            sending.cancel()
            await asyncio.wait([sending])
            assert sending.cancelled()
            here.transport.write(b"the end")
            here.transport.write_eof()
            assert (await received(here.peer, 1 << 30)).endswith(b"the end")

    run(main())


def test_sendfile_over_tls(loop, run, file, certificate):
    async def main():
        protocol = Recorder()
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(certificate)
        server = await loop.create_server(lambda: protocol, "127.0.0.1", 0, ssl=serving)
        transport, client = await loop.create_connection(
            Recorder,
            *server.sockets[0].getsockname(),
            ssl=ssl.create_default_context(cafile=certificate),
            server_hostname="localhost",
        )
        assert await loop.sendfile(transport, file) == 3_000_000
        await protocol.until(lambda: len(protocol.data) == 3_000_000)
        transport.close()
        await client.gets("lost")
        await protocol.gets("lost")
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)

    run(main())


# Forks


def test_fork_in_a_coroutine(run_program):
    """The child runs a loop of its own; the parent's goes on as if nothing had been."""
    run_program(
        """
        import asyncio, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def child():
            reader, writer = await asyncio.open_connection(sock=theirs)
            writer.write(b"from the child")
            await asyncio.sleep(0.01)
            writer.close()
            await writer.wait_closed()
        async def main():
            ours.setblocking(False)
            theirs.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.call_later(0.02, noop, 0, 0)
            reader, writer = await asyncio.open_connection(sock=ours)
            pid = os.fork()
            if pid == 0:
                try:
                    ev.run(child())
                    os._exit(0)
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
            theirs.close()
            print((await reader.readexactly(14)).decode())
            await asyncio.sleep(0.05)
            ended, status = await asyncio.to_thread(os.waitpid, pid, 0)
            print(status)
            writer.close()
            await writer.wait_closed()
        ours, theirs = socket.socketpair()
        ev.run(main())
        """,
        "from the child 0",
    )


def test_multiprocessing(run_program):
    run_program(
        """
        import asyncio, multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def work(queue):
            await asyncio.sleep(0.01)
            queue.put("worked")
        def child(queue):
            ev.run(work(queue))
        async def main():
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            print(await asyncio.to_thread(queue.get, True, 10))
            await asyncio.to_thread(process.join)
            print(process.exitcode)
            await asyncio.sleep(0.01)
        ev.run(main())
        """,
        "worked 0",
    )


def test_loop_used_in_the_child(run_program):
    """The parent's loop, which does not run at the time of the fork, works in both."""
    run_program(
        """
        import asyncio
        async def main(text):
            await asyncio.sleep(0.01)
            one, other = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=one)
            other.send(text)
            result = await reader.readexactly(len(text))
            writer.close()
            await writer.wait_closed()
            other.close()
            return result == text
        loop = ev.new_event_loop()
        loop.run_until_complete(main(b"before"))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if loop.run_until_complete(main(b"child")) else 1)
        print(loop.run_until_complete(main(b"parent")), os.waitpid(pid, 0)[1])
        loop.close()
        """,
        "True 0",
    )


# Garbage


def test_collections_at_every_step(run_program):
    """Everything once, with the collector run in every callback and all memory checked."""
    run_program(
        """
        import asyncio
        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                gc.collect()
                self.transport = transport
            def data_received(self, data):
                gc.collect()
                self.transport.write(data)
                gc.collect()
            def eof_received(self):
                gc.collect()
            def connection_lost(self, error):
                gc.collect()
        async def talk(where):
            reader, writer = await asyncio.open_connection(*where)
            for size in 1, 1000, 200_000:
                writer.write(bytes(size))
                gc.collect()
                await reader.readexactly(size)
            writer.close()
            await writer.wait_closed()
        async def main():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(Echo, "127.0.0.1", 0)
            where = server.sockets[0].getsockname()
            await asyncio.gather(*(talk(where) for _ in range(3)))
            process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
            print((await process.communicate(b"through"))[0].decode())
            await asyncio.to_thread(gc.collect)
            handles = [loop.call_later(0.001 * i, gc.collect) for i in range(5)]
            handles[2].cancel()
            del handles
            await asyncio.sleep(0.01)
            server.close()
            await server.wait_closed()
        gc.set_threshold(1)
        ev.run(main())
        print("done")
        """,
        "through done",
        hangs_after=60,
    )


def test_task_factory_gets_what_was_given(loop, run):
    """From Python 3.14 on; older ones add a name."""
    given = []

    def factory(loop, coroutine, **options):
        given.append(options)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def nothing():
        pass

    async def main():
        await loop.create_task(nothing())
        await loop.create_task(nothing(), name="a name")

    run(main())
    loop.set_task_factory(factory)
    run(main())
    if sys.version_info >= (3, 14):
        assert given[-2:] == [{}, {"name": "a name"}]


def test_where_a_task_was_made(loop, run):
    async def main():
        def here():
            return loop.create_task(asyncio.sleep(0))

        task = here()
        assert task._source_traceback[-1].name == "here"
        await task

    loop.set_debug(True)
    run(main())


@pytest.mark.parametrize("name", ["Task", "Future"])
def test_classes_that_tools_replace(loop, run, monkeypatch, name):
    module = asyncio.tasks if name == "Task" else asyncio.futures

    async def main():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, getattr(module, f"_Py{name}"))
            made = loop.create_task(asyncio.sleep(0)) if name == "Task" else loop.create_future()
        assert type(made) is getattr(module, f"_Py{name}")
        made.cancel()

    run(main())


def test_install_where_there_are_no_policies(monkeypatch):
    monkeypatch.delattr(asyncio, "set_event_loop_policy")
    with pytest.raises(RuntimeError, match="no event loop policies"):
        everloop.install()
