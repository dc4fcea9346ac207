"""Registration: what it costs to start, stop and change the watcher of a descriptor."""

from benchmarks.callbacks import ignoring
from benchmarks.descriptors import clogged_socket, idle_descriptors, ready_pipes
from benchmarks.peers.peer import Peer, Switch
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import Group, Row, Scale, Target, single


def _start_stop(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per start and stop, with no pass of the loop in between."""
    peer = peer_class()
    ignore = ignoring(peer)
    with idle_descriptors(1) as (fd,):
        figure = per_operation(lambda n: cpu_ns(peer.start_stop, fd, ignore, n), scale)
        peer.close()
    return figure


def _widen_narrow(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per READ -> READ|WRITE -> READ, with no pass of the loop in between."""
    peer = peer_class()
    ignore = ignoring(peer)
    with clogged_socket() as fd:
        figure = per_operation(lambda n: cpu_ns(peer.widen_narrow, fd, ignore, n), scale)
        peer.close()
    return figure


def _per_pass(peer: Peer, switch: Switch, scale: Scale) -> float:
    """CPU time per pass with one ready pipe, whose callback throws the switch to and fro."""
    switch_on, switch_off = switch
    stop = peer.stop
    remaining = 0

    def on_pass(_watcher: object = None, _revents: object = None) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining & 1:
            switch_on()
        else:
            switch_off()
            if not remaining:
                stop()

    def run(count: int) -> int:
        nonlocal remaining
        remaining = count + (count & 1)
        return cpu_ns(peer.run) * count // (count + (count & 1))

    with ready_pipes(1) as (driver,):
        watcher = peer.watch(driver, on_pass)
        figure = per_operation(run, scale)
        peer.close()
        del watcher
    return figure


def _toggle(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per pass in which one watcher is started or stopped."""
    peer = peer_class()
    with idle_descriptors(1) as (fd,):
        return _per_pass(peer, peer.switch(fd, ignoring(peer)), scale)


def _change(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per pass in which one watcher gets or loses the interest in writing."""
    peer = peer_class()
    with clogged_socket() as fd:
        return _per_pass(peer, peer.width_switch(fd, ignoring(peer)), scale)


GROUP = Group(
    "registration",
    "Changes of watchers",
    (
        single(Row("start-stop", "start + stop", "ns/pair", (Target(1.0),)), _start_stop),
        single(Row("toggle", "start or stop, with a pass", "ns/pass", (Target(0.8),)), _toggle),
        single(Row("widen-narrow", "READ -> READ|WRITE -> READ", "ns/pair"), _widen_narrow),
        single(Row("change", "READ <-> READ|WRITE, with a pass", "ns/pass"), _change),
    ),
)
