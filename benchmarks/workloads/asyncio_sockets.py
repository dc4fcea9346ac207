"""Servers under load: CPU time of the server's process for each request, and how long that takes.

The server is this process, on its core; the load generator is written in C, on the other one. The
time from a request to its reply is told where there are several connections: with one, both
processes share a core.
"""

from contextlib import closing
from functools import partial

from benchmarks import services
from benchmarks.load import Load
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Peer
from benchmarks.services import Service
from benchmarks.workload import ASYNCIO, Group, Row, Scale, Target, Workload

_LARGE_BLOCK = 8 * 1024 * 1024


def _serve(
    service: Service,
    load: Load,
    rows: tuple[Row, ...],
    cold: bool,
    peer_class: type[Peer],
    scale: Scale,
) -> dict[str, float]:
    """For each row microseconds per request: of CPU time, then the median and the 99th percentile.

    Half as long windows as elsewhere, but twice as many: the generator's core has to be free too.
    """
    if not cold:
        _warm_heap()
    budget, windows = scale.budget_ns // 2, 2 * scale.repeats
    with (
        service.bind() as bound,
        closing(load.start(bound.getsockname(), budget, windows)) as generator,
    ):
        peer_class.serve(service, bound, generator.fileno())
        figures = generator.figures()
    return {row.name: figure / 1000 for row, figure in zip(rows, figures, strict=False)}


def _warm_heap() -> None:
    """Free a large block, as most programs have done by the time that they serve.

    Until then the C library maps and unmaps the memory of each buffer of 256 KiB, which costs more
    than all the rest of a small request.
    """
    bytes(_LARGE_BLOCK)


def _echo(kind: str, size: int, connections: int) -> Load:
    message = bytes(index * 7 & 255 for index in range(size))
    return Load(kind, connections, message, message)


_GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"


def _workload(
    name: str,
    title: str,
    service: Service,
    load: Load,
    *targets: Target,
    cold: bool = False,
) -> Workload:
    unit = "us/connection" if load.kind == "connect" else "us/request"
    rows: tuple[Row, ...] = (Row(name, title, unit, targets),)
    if load.connections > 1:
        rows += (
            Row(f"{name}-p50", f"{title}, median", "us"),
            Row(f"{name}-p99", f"{title}, 99th percentile", "us", (Target(1.0),)),
        )
    return Workload(name, partial(_serve, service, load, rows, cold), rows, isolated=cold)


_GOOD = Target(0.95)
_ECHO = (Target(0.96), Target(1.13, "floor"))

GROUP = Group(
    "asyncio-sockets",
    "asyncio: servers",
    (
        _workload("echo-1", "Protocol, 64 B x 1", services.PROTOCOL, _echo("tcp", 64, 1), *_ECHO),
        _workload(
            "echo-100", "Protocol, 64 B x 100", services.PROTOCOL, _echo("tcp", 64, 100), *_ECHO
        ),
        _workload(
            "echo-large",
            "Protocol, 64 KiB x 10",
            services.PROTOCOL,
            _echo("tcp", 65536, 10),
            *_ECHO,
        ),
        _workload(
            "echo-large-100",
            "Protocol, 64 KiB x 100",
            services.PROTOCOL,
            _echo("tcp", 65536, 100),
            Target(1.0),
        ),
        _workload(
            "echo-cold",
            "Protocol, 64 B x 1, cold heap",
            services.PROTOCOL,
            _echo("tcp", 64, 1),
            cold=True,
        ),
        _workload("streams", "streams, 64 B x 100", services.STREAMS, _echo("tcp", 64, 100), _GOOD),
        _workload("sock", "sock_*, 64 B x 100", services.SOCK, _echo("tcp", 64, 100), _GOOD),
        _workload("unix", "Unix socket, 64 B x 1", services.UNIX, _echo("unix", 64, 1), _GOOD),
        _workload("udp", "UDP, 64 B x 10", services.UDP, _echo("udp", 64, 10), Target(1.0)),
        _workload(
            "tls", "TLS, 1 KiB x 100", services.TLS, _echo("tls", 1024, 100), Target(0.85, "uvloop")
        ),
        _workload(
            "connect",
            "connect and close x 20",
            services.PROTOCOL,
            Load("connect", 20),
            _GOOD,
        ),
        _workload(
            "http",
            "HTTP hello, httptools x 64",
            services.HTTP,
            Load("tcp", 64, _GET, services.HTTP_REPLY),
            _GOOD,
        ),
        _workload(
            "http-parts",
            "the same, headers and body by two writes",
            services.HTTP_PARTS,
            Load("tcp", 64, _GET, services.HTTP_REPLY),
        ),
    ),
    ASYNCIO,
    SERVERS,
)
