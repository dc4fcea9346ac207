"""The kernel refuses what it usually does not: whoever asked is told, or asked again.

A library that is loaded before all others makes epoll_ctl(2) fail when it is told to.
"""

import errno
import pathlib
import shutil
import subprocess
import textwrap

import pytest

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/epoll.h>

static int wanted_errno, left, spared;

void refuse(int error, int times, int after)
{
    wanted_errno = error;
    left = times;
    spared = after;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    int (*original)(int, int, int, struct epoll_event *) = dlsym(RTLD_NEXT, "epoll_ctl");
    if (left && op != EPOLL_CTL_DEL && --spared < 0) {
        if (left > 0)
            left--;
        errno = wanted_errno;
        return -1;
    }
    return original(epfd, op, fd, event);
}
"""

PROGRAM = """
import asyncio, ctypes, errno
shim = ctypes.CDLL(None)


def refuse(error, times=1, after=0):
    '''Have so many calls of epoll_ctl() that add or change fail, -1: all, after others.'''
    shim.refuse(error, times, after)


def told(watcher, revents):
    print("told")
    watcher.loop.stop()


"""

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    place = tmp_path_factory.mktemp("shim")
    (place / "shim.c").write_text(SOURCE)
    library = place / "shim.so"
    command = ["gcc", "-shared", "-fPIC", "-o", library, place / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def run_refused(run_program, shim):
    def run(source, expected):
        return run_program(PROGRAM + textwrap.dedent(source), expected, LD_PRELOAD=str(shim))

    return run


ERRORS = [errno.ENOMEM, errno.ENOSPC]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("times", [1, 3, -1])
def test_child_is_told_of(run_refused, error, times):
    run_refused(
        f"""
        loop = Loop()
        pid = os.fork()
        if pid == 0:
            time.sleep(0.05)
            os._exit(0)
        loop.child(pid, False, told).start()
        loop.child(pid, False, told).start()
        refuse({error}, {times})
        loop.start()
        loop.verify()
        print(loop.watchers[0].returncode)
        loop.close()
        """,
        "told told 0",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_stat_is_told_of(run_refused, tmp_path, error):
    run_refused(
        f"""
        loop = Loop()
        path = {str(tmp_path / "file")!r}
        loop.stat(path, 60.0, told).start()
        refuse({error}, -1)
        loop.timer(0.05, 0.0, lambda w, e: open(path, "w").close()).start()
        loop.start()
        loop.verify()
        loop.close()
        """,
        "told",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_signal_by_signalfd_is_told_of(run_refused, error):
    run_refused(
        f"""
        loop = Loop(EVFLAG_SIGNALFD)
        loop.signal(signal.SIGUSR1, told).start()
        refuse({error}, -1)
        loop.timer(0.05, 0.0, lambda w, e: os.kill(os.getpid(), signal.SIGUSR1)).start()
        loop.start()
        loop.verify()
        loop.close()
        """,
        "told",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_date_comes_without_the_timerfd(run_refused, error):
    run_refused(
        f"""
        loop = Loop()
        loop.periodic(time.time() + 0.3, 0.0, told).start()
        refuse({error}, -1)
        loop.start()
        loop.verify()
        loop.close()
        """,
        "told",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_embedded_loop_is_served(run_refused, error):
    run_refused(
        f"""
        outer, inner = Loop(), Loop(EVBACKEND_EPOLL)
        r, w = pipe()
        inner.io(r, EV_READ, lambda w, e: (print("told"), outer.stop())).start()
        outer.embed(inner).start()
        inner.start(EVRUN_NOWAIT)
        refuse({error}, 2)
        outer.timer(0.05, 0.0, lambda w_, e: os.write(w, b"x")).start()
        outer.start()
        outer.close()
        inner.close()
        """,
        "told",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_watcher_that_needs_the_eventfd_is_not_started(run_refused, error):
    run_refused(
        f"""
        for start in (lambda: loop.async_(told).start(), lambda: loop.timer(1.0, 0.0, told).start()):
            loop = Loop()
            refuse({error}, 1)
            print(raised(start), len(loop.watchers))
            start()
            print(len(loop.watchers))
            loop.close()
        refuse({error}, 1)
        print(raised(ev.EventLoop))
        """,
        "OSError 0 1 " * 2 + "OSError",
    )


def test_stopped_before_it_is_tried_again(run_refused, tmp_path):
    run_refused(
        f"""
        loop = Loop()
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        watchers = [
            loop.child(pid, False, told), loop.stat({str(tmp_path)!r}, 60.0, told),
            loop.embed(Loop(EVBACKEND_EPOLL)), loop.periodic(2e9, 0.0, told),
        ]
        for watcher in watchers:
            watcher.start()
        refuse(errno.ENOSPC, -1)
        loop.start(EVRUN_NOWAIT)
        before = len(os.listdir("/proc/self/fd"))
        for watcher in watchers:
            watcher.stop()
        print(before - len(os.listdir("/proc/self/fd")))
        loop.timer(0.2, 0.0, told).start()
        loop.start()
        loop.verify()
        loop.close()
        os.kill(pid, signal.SIGKILL)
        """,
        "2 told",
    )


def test_descriptors_of_the_loops_own_that_were_closed_are_made_anew(run_program, tmp_path):
    """By a program that closes all it does not know of."""
    run_program(
        f"""
        loop = Loop(EVFLAG_SIGNALFD)
        path = {str(tmp_path / "file")!r}
        called = []
        def told(watcher, revents):
            called.append(type(watcher).__name__)
            if len(called) == 3:
                loop.stop()
        pid = os.fork()
        if pid == 0:
            time.sleep(0.3)
            os._exit(0)
        loop.child(pid, False, told).start()
        loop.stat(path, 60.0, told).start()
        loop.signal(signal.SIGUSR1, told).start()
        loop.start(EVRUN_NOWAIT)
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                kind = os.readlink(f"/proc/self/fd/{{name}}")
                if "inotify" in kind or "pidfd" in kind or "signalfd" in kind:
                    os.close(int(name))
        def act(watcher, revents):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGUSR1)
        loop.timer(0.2, 0.0, act).start()
        loop.start()
        print(*sorted(called))
        loop.verify()
        loop.close()
        """,
        "Child Signal Stat",
    )


# asyncio


@pytest.mark.parametrize("error", ERRORS)
def test_subprocess_communicates(run_refused, error):
    run_refused(
        f"""
        async def main():
            process = await asyncio.create_subprocess_exec("sleep", "0.05")
            refuse({error}, 5)
            print(await process.communicate(), process.returncode)
        ev.run(main())
        """,
        "(None, None) 0",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_add_reader_raises(run_refused, error):
    run_refused(
        f"""
        async def main():
            loop = asyncio.get_running_loop()
            r, w = pipe()
            for add, remove, fd in (
                (loop.add_reader, loop.remove_reader, r), (loop.add_writer, loop.remove_writer, w)
            ):
                refuse({error}, 1)
                try:
                    add(fd, print)
                except OSError as failure:
                    print(failure.errno == {error}, remove(fd))
                done = asyncio.Event()
                add(fd, done.set)
                os.write(w, b"x")
                await done.wait()
                print(remove(fd))
        ev.run(main())
        """,
        "True False True " * 2,
    )


@pytest.mark.parametrize("error", ERRORS)
def test_socket_operations_raise(run_refused, error):
    run_refused(
        f"""
        async def main():
            loop = asyncio.get_running_loop()
            one, other = socket.socketpair()
            one.setblocking(False)
            listening = socket.create_server(("127.0.0.1", 0))
            listening.setblocking(False)
            for attempt in (
                lambda: loop.sock_recv(one, 1), lambda: loop.sock_recv_into(one, bytearray(1)),
                lambda: loop.sock_accept(listening), lambda: loop.sock_sendall(one, bytes(10**7)),
            ):
                refuse({error}, 1)
                try:
                    await attempt()
                except OSError as failure:
                    print(failure.errno == {error})
            other.send(b"x")
            print(await loop.sock_recv(one, 1))
        ev.run(main())
        """,
        "True True True True b'x'",
    )


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("tls", [False, True])
def test_server_that_can_not_listen_does_not_serve(run_refused, error, tls):
    run_refused(
        f"""
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if {tls} else None
        async def main():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(
                asyncio.Protocol, "127.0.0.1", 0, ssl=context, start_serving=False
            )
            refuse({error}, 1)
            try:
                await server.start_serving()
            except OSError as failure:
                print(failure.errno == {error})
            print(server.is_serving(), len(server.sockets))
            refuse({error}, 1)
            try:
                await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
            except OSError as failure:
                print(failure.errno == {error})
        ev.run(main())
        """,
        "True False 0 True",
    )


def test_server_whose_socket_is_refused_later_ends(run_refused):
    run_refused(
        """
        async def main():
            loop = asyncio.get_running_loop()
            told = []
            loop.set_exception_handler(lambda loop, context: told.append(context["exception"].errno))
            server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            refuse(errno.ENOMEM, -1, after=1)  # the eventfd
            loop.reset()
            await asyncio.sleep(0.2)
            refuse(0, 0)
            print(errno.ENOMEM in told, server.is_serving())
        ev.run(main())
        """,
        "True False",
    )


@pytest.mark.parametrize("error", ERRORS)
def test_connections_that_can_not_be_watched_end(run_refused, error):
    run_refused(
        f"""
        async def main():
            one, other = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=one)
            refuse({error}, -1, after=1)  # the eventfd
            asyncio.get_running_loop().reset()
            try:
                await reader.read()
            except OSError as failure:
                print(failure.errno == {error})
            refuse(0, 0)
        ev.run(main())
        """,
        "True",
    )


# No descriptors left


HOARD = """
import asyncio
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)


@contextlib.contextmanager
def none_left(but=0):
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    hoard = []
    with contextlib.suppress(OSError):
        while True:
            hoard.append(os.dup(0))
    for _ in range(but):
        os.close(hoard.pop())
    try:
        yield
    finally:
        for fd in hoard:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


"""


@pytest.fixture
def run_short(run_program):
    def run(source, expected):
        return run_program(HOARD + textwrap.dedent(source), expected)

    return run


def test_event_loop_has_all_that_it_needs_when_it_is_made(run_short):
    run_short(
        """
        loop = ev.EventLoop()
        with none_left():
            loop.call_later(0.01, print, "called")
            loop.run_until_complete(asyncio.sleep(0.02))
        loop.close()
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            before = len(os.listdir("/proc/self/fd"))
            for left in (0, 1):
                with none_left(but=left):
                    print(raised(ev.EventLoop))
            gc.collect()
            print(len(caught), len(os.listdir("/proc/self/fd")) - before)
        """,
        "called OSError OSError 0 0",
    )


def test_loop_has_what_it_needs_once_a_watcher_is_started(run_short):
    run_short(
        """
        for backend in BACKENDS:
            for kind in KINDS:
                loop = Loop(backend)
                watcher = make(kind, loop)
                with none_left():
                    print(raised(watcher.start), watcher.active, loop.start())
                    loop.verify()
                watcher.start()
                with none_left():
                    loop.timer(0.01, 0.0, lambda w, e: loop.stop()).start()
                    loop.start()
                loop.close()
        """,
        "OSError False False " * 18,
    )


@pytest.mark.parametrize("tls", [False, True])
def test_asyncio_server_without_descriptors_waits_and_goes_on(run_short, tls):
    """It does not spin, and the client that came meanwhile is served in the end."""
    run_short(
        f"""
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if {tls} else None
        async def main():
            loop = asyncio.get_running_loop()
            told = []
            loop.set_exception_handler(lambda loop, context: told.append(context))
            made = asyncio.Event()
            class Greeter(asyncio.Protocol):
                def connection_made(self, transport):
                    made.set()
            server = await loop.create_server(Greeter, "127.0.0.1", 0, ssl=context)
            client = socket.socket()
            with none_left():
                client.connect(server.sockets[0].getsockname())
                before = loop.iteration
                await asyncio.sleep(0.5)
                print(loop.iteration - before < 20, len(told), server.is_serving())
            if {tls}:
                client.setblocking(False)
                await loop.sock_sendall(client, b"no handshake")
                await asyncio.wait_for(loop.sock_recv(client, 1), 20)
            else:
                await asyncio.wait_for(made.wait(), 20)
            client.close()
            server.close()
        ev.run(main())
        """,
        "True 1 True",
    )


@pytest.mark.parametrize("backend", ["EPOLL", "POLL", "SELECT"])
def test_add_reader_of_what_is_not_open(run_program, backend):
    run_program(
        f"""
        import asyncio
        async def main():
            loop = asyncio.get_running_loop()
            r, w = pipe()
            os.close(r)
            for fd in (r, 10**6):
                for add, remove in (
                    (loop.add_reader, loop.remove_reader), (loop.add_writer, loop.remove_writer)
                ):
                    try:
                        add(fd, print)
                    except OSError as error:
                        print(error.errno, remove(fd))
            r, w = pipe()
            os.write(w, b"x")
            done = asyncio.Event()
            loop.add_reader(r, done.set)
            await done.wait()
            print(loop.remove_reader(r))
            loop.verify()
        loop = ev.EventLoop(EVBACKEND_{backend})
        loop.run_until_complete(main())
        loop.close()
        """,
        "9 False " * 4 + "True",
    )


def test_add_reader_of_a_regular_file(run_program, tmp_path):
    """As asyncio's selector refuses it; an Io takes it, as libev's does."""
    run_program(
        f"""
        import asyncio
        loop = ev.EventLoop()
        with open({str(tmp_path / "file")!r}, "w") as file:
            for add, remove in (
                (loop.add_reader, loop.remove_reader), (loop.add_writer, loop.remove_writer)
            ):
                try:
                    add(file, print)
                except PermissionError as error:
                    print(error.errno, remove(file))
            loop.io(file, EV_WRITE, lambda w, e: (print("ready"), w.stop())).start()
            loop.start()
        loop.close()
        """,
        "1 False 1 False ready",
    )


def test_demonstration_server_without_descriptors_waits_and_goes_on(run_program):
    root = pathlib.Path(__file__).parents[1]
    run_program(
        HOARD
        + f"""
sys.path.insert(0, {str(root)!r})
from demo.server import EchoServer
loop = Loop()
server = EchoServer(loop)
server.start()
client = socket.socket()
with none_left():
    client.connect(server.address)
    loop.timer(0.35, 0.0, lambda w, e: loop.stop()).start()
    loop.start()
    print(loop.iteration < 20, server.accepted)
client.sendall(b"x")
echoed = lambda w, e: (print(client.recv(1)), loop.stop())
loop.io(client, EV_READ, echoed).start()
loop.start()
server.close()
loop.close()
""",
        "True 0 b'x'",
    )
