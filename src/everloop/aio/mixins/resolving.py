"""From a host and a port to addresses of sockets."""

import socket

# By itself: an address is told by its form, whatever stands in for the socket module.
from socket import inet_pton

PROTOCOLS = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}


async def resolve(loop, address, kind, *, family=0, proto=0, flags=0):
    """What getaddrinfo(3) says of an address; who gives numbers does not wait for it.

    address: host and port, and for IPv6 flow information and scope, too.
    kind: socket.SOCK_STREAM or socket.SOCK_DGRAM.
    """
    known = numeric(address, kind, family, proto)
    if known is not None:
        return [known]
    host, port = address[:2]
    return await loop.getaddrinfo(host, port, family=family, type=kind, proto=proto, flags=flags)


def numeric(address, kind, family, proto):
    """The same for an address without a name that has to be looked up, or None."""
    host, port, *rest = address
    if host is None or kind not in PROTOCOLS or proto not in (0, *PROTOCOLS.values()):
        return None
    number = port_number(port)
    if isinstance(host, bytes):
        host = host.decode("idna")
    # After a per cent sign comes an interface's name.
    if number is None or "%" in host:
        return None
    families = [family] if family else [socket.AF_INET, socket.AF_INET6]
    for each in families:
        if is_numeric(host, each):
            end = (*rest, 0, 0)[:2] if each == socket.AF_INET6 else ()
            return (each, kind, PROTOCOLS[kind], "", (host, number, *end))
    return None


def is_numeric(host, family):
    try:
        inet_pton(family, host)
    except OSError:
        return False
    return True


def port_number(port):
    """None for the name of a service."""
    if port in (None, "", b""):
        return 0
    try:
        return int(port)
    except (TypeError, ValueError):
        return None


def interleave(infos, first):
    """Families by turns, after so many addresses of the family that comes first."""
    families = {}
    for info in infos:
        families.setdefault(info[0], []).append(info)
    queues = list(families.values())
    ordered = queues[0][: first - 1]
    del queues[0][: first - 1]
    while any(queues):
        ordered += [queue.pop(0) for queue in queues if queue]
    return ordered
