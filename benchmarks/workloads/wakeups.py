"""Wake-ups between threads: one thread floods a loop, or two loops wake each other in turn."""

from threading import Event, Thread

from benchmarks.callbacks import ignoring
from benchmarks.peers.peer import Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, single


def _flood(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time of both threads per wake-up sent; loops may coalesce what they did not see yet."""
    peer = peer_class()
    peer.expect_threads()
    flood = peer.flooder(ignoring(peer))
    running = Event()
    announce = peer.waker(lambda *_: running.set())
    finish = peer.waker(lambda *_: peer.stop())

    def send(count: int) -> None:
        running.wait()
        flood(count)
        finish()

    def run(count: int) -> int:
        running.clear()
        announce()
        sender = Thread(target=send, args=(count,))
        sender.start()
        spent = cpu_ns(peer.run)
        sender.join()
        return spent

    figure = per_operation(run, scale)
    peer.close()
    return figure


def _round_trip(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time of both threads per wake-up there and back, on one core."""
    here, there = peer_class(), peer_class()
    here.expect_threads()
    there.expect_threads()
    remaining = 0

    def on_ping(_watcher: object = None, _revents: object = None) -> None:
        last = not remaining  # asked first, since the other thread may answer at once
        send_here()
        if last:
            there.stop()

    def on_pong(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        if remaining:
            remaining -= 1
            send_there()
        else:
            here.stop()

    send_here, send_there = here.waker(on_pong), there.waker(on_ping)

    def run(count: int) -> int:
        nonlocal remaining
        remaining = count
        partner = Thread(target=there.run)
        partner.start()
        send_here()
        spent = cpu_ns(here.run)
        partner.join()
        return spent

    figure = per_operation(run, scale)
    here.close()
    there.close()
    return figure


GROUP = Group(
    "wakeups",
    "Wake-ups from another thread",
    (
        single(Row("flood", "flood", "ns/send", (Target(1.0),)), _flood),
        single(Row("round-trip", "there and back", "ns/round", (Target(1.0),)), _round_trip),
    ),
)
