"""Pipes and sockets for the workloads, closed at the end."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Left for the peers' own use, the interpreter and the other descriptors of a workload.
_SPARE = 1000


def raise_limit() -> None:
    """Allow as many descriptors as the hard limit does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def affordable(wanted: int) -> int:
    """How many of the `wanted` descriptors the hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - _SPARE)


@contextmanager
def ready_pipes(count: int) -> Iterator[list[int]]:
    """The read ends of `count` pipes with a byte in each."""
    pipes = [os.pipe() for _ in range(count)]
    for _, writer in pipes:
        os.write(writer, b"x")
    try:
        yield [reader for reader, _ in pipes]
    finally:
        for fd in (fd for pipe in pipes for fd in pipe):
            os.close(fd)


@contextmanager
def idle_descriptors(count: int) -> Iterator[list[int]]:
    """`count` descriptors, each its own, of one pipe in which nothing arrives."""
    reader, writer = os.pipe()
    copies = [os.dup(reader) for _ in range(count)]
    try:
        yield copies
    finally:
        for fd in (reader, writer, *copies):
            os.close(fd)


@contextmanager
def socketpairs(count: int) -> Iterator[list[tuple[int, int]]]:
    """`count` pairs of connected Unix sockets."""
    pairs = [socket.socketpair() for _ in range(count)]
    try:
        yield [(left.fileno(), right.fileno()) for left, right in pairs]
    finally:
        for left, right in pairs:
            left.close()
            right.close()


@contextmanager
def clogged_socket() -> Iterator[int]:
    """A socket that is neither readable nor writable."""
    left, right = socket.socketpair()
    left.setblocking(False)
    try:
        while True:
            left.send(bytes(4096))
    except BlockingIOError:
        pass
    try:
        yield left.fileno()
    finally:
        left.close()
        right.close()
