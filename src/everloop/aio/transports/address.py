"""Socket addresses: between the kernel's form and that of the socket module.

Only the common families; for the others, and for names that would have to be
resolved, the socket module does it.
"""

import os

import cython
from cython.cimports.cpython.unicode import PyUnicode_AsUTF8
from cython.cimports.everloop.sys.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    htons,
    inet_ntop,
    inet_pton,
    ntohl,
    ntohs,
    sockaddr_in,
    sockaddr_in6,
    sockaddr_storage,
    socklen_t,
)
from cython.cimports.libc.string import memcpy, memset


@cython.cfunc
def address_object(storage: cython.pointer[sockaddr_storage], length: socklen_t) -> object:
    """The address as the socket module gives it, or NotImplemented."""
    text: cython.char[64]
    if storage.ss_family == AF_INET:
        four = cython.cast(cython.pointer[sockaddr_in], storage)
        if inet_ntop(AF_INET, cython.address(four.sin_addr), text, 64) == cython.NULL:
            return NotImplemented
        host: str = cython.cast(bytes, text).decode("ascii")
        return (host, ntohs(four.sin_port))
    if storage.ss_family == AF_INET6:
        six = cython.cast(cython.pointer[sockaddr_in6], storage)
        if six.sin6_scope_id:
            return NotImplemented
        if inet_ntop(AF_INET6, cython.address(six.sin6_addr), text, 64) == cython.NULL:
            return NotImplemented
        host = cython.cast(bytes, text).decode("ascii")
        return (host, ntohs(six.sin6_port), ntohl(six.sin6_flowinfo), 0)
    if storage.ss_family == AF_UNIX:
        return unix_name(storage, length)
    return NotImplemented


@cython.cfunc
@cython.exceptval(check=False)
def keep_name(
    name: cython.pointer[Name], storage: cython.pointer[sockaddr_storage], length: socklen_t
) -> cython.bint:
    """Keep an address, if it is of those that can be kept: name_object() gives it then."""
    if length > cython.sizeof(sockaddr_in6):
        return False
    if storage.ss_family == AF_INET6:
        if cython.cast(cython.pointer[sockaddr_in6], storage).sin6_scope_id:
            return False
    elif storage.ss_family != AF_INET and storage.ss_family != AF_UNIX:
        return False
    memcpy(cython.address(name.storage), storage, length)
    name.length = length
    return True


@cython.cfunc
def name_object(name: cython.pointer[Name]) -> object:
    # A copy: what is kept is not aligned as an address of any family has to be.
    storage: sockaddr_storage
    memcpy(cython.address(storage), cython.address(name.storage), name.length)
    return address_object(cython.address(storage), name.length)


@cython.cfunc
def unix_name(storage: cython.pointer[sockaddr_storage], length: socklen_t) -> object:
    head: cython.Py_ssize_t = cython.sizeof(cython.ushort)
    size: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, length) - head
    if size <= 0:
        return ""
    path: cython.p_char = cython.cast(cython.p_char, storage) + head
    raw: bytes = path[:size]
    if path[0] == 0:
        return raw  # abstract: unix(7)
    return os.fsdecode(raw.partition(b"\0")[0])


@cython.cfunc
@cython.exceptval(-1, check=False)
def fill_address(
    address: cython.pointer[Address], family: cython.int, value: object
) -> cython.bint:
    """The address in the kernel's form; False if the socket module has to see to it."""
    if not isinstance(value, tuple) or len(value) < 2:
        return False
    host: object = value[0]
    port: object = value[1]
    if type(host) is not str or type(port) is not int or not 0 <= port <= 65535:
        return False
    if "\0" in host:
        return False
    memset(address, 0, cython.sizeof(Address))
    if family == AF_INET and len(value) == 2:
        four = cython.cast(cython.pointer[sockaddr_in], cython.address(address.storage))
        four.sin_family = AF_INET
        four.sin_port = htons(port)
        address.length = cython.sizeof(sockaddr_in)
        return inet_pton(AF_INET, PyUnicode_AsUTF8(host), cython.address(four.sin_addr)) == 1
    if family == AF_INET6 and (len(value) == 2 or value[2:] == (0, 0)):
        six = cython.cast(cython.pointer[sockaddr_in6], cython.address(address.storage))
        six.sin6_family = AF_INET6
        six.sin6_port = htons(port)
        address.length = cython.sizeof(sockaddr_in6)
        return inet_pton(AF_INET6, PyUnicode_AsUTF8(host), cython.address(six.sin6_addr)) == 1
    return False
