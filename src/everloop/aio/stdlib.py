"""All that the asyncio face takes from the standard library beyond what is documented.

A new release of Python may change any of it. tests/asyncio_face/test_contract.py
compares the lists below with the running interpreter, and the sources of this package
with the lists: on a new Python it is the first test to read.

Checked with the documentation of 3.15: nothing is used of what goes in 3.16
(asyncio.iscoroutinefunction; policies, but in everloop.install(), which is of use only
as long as they exist; child watchers, gone in 3.14; the loop parameters and implicit
loops of get_event_loop(), gone in 3.10 and 3.14), nor of what is deprecated on any of
3.11 to 3.15.
"""

from asyncio import events, staggered
from asyncio.constants import _SendfileMode as SendfileMode
from asyncio.format_helpers import _format_callback_source as format_callback_source
from asyncio.format_helpers import extract_stack
from asyncio.log import logger
from asyncio.sslproto import SSLProtocol, SSLProtocolState
from asyncio.sslproto import _SSLProtocolTransport as SSLProtocolTransport
from asyncio.streams import StreamReaderProtocol
from asyncio.transports import _FlowControlMixin as FlowControlMixin
from asyncio.trsock import TransportSocket
from typing import NamedTuple

__all__ = [
    "FlowControlMixin",
    "SSLProtocol",
    "SSLProtocolState",
    "SSLProtocolTransport",
    "SendfileMode",
    "StreamReaderProtocol",
    "ThreadSafeHandle",
    "TransportSocket",
    "extract_stack",
    "format_callback_source",
    "logger",
    "staggered",
    "take_unread",
]

# What a handle of call_soon_threadsafe() is an instance of, from Python 3.14 on.
ThreadSafeHandle = getattr(events, "_ThreadSafeHandle", events.Handle)


def take_unread(protocol):
    """Bytes that a stream protocol has received and its reader has not read: it loses them."""
    if not isinstance(protocol, StreamReaderProtocol):
        return b""
    reader = getattr(protocol, "_stream_reader", None)
    if reader is None:
        return b""
    unread = bytes(reader._buffer)
    reader._buffer.clear()
    return unread


class Reliance(NamedTuple):
    """Something that is not documented, and that there has to be."""

    name: str  # below the asyncio package
    purpose: str
    replacement: str
    signatures: tuple = ()  # those that it has had, the newest last; of a call only
    since: tuple = (3, 11)  # of Python; 3.11 if older


SELF = "(self)"
LOOP = "base_events.BaseEventLoop"
SELECTOR_LOOP = "selector_events.BaseSelectorEventLoop"
UNIX_LOOP = "unix_events._UnixSelectorEventLoop"

# Imported above.
IMPORTED = (
    Reliance(
        "constants._SendfileMode",
        "how sendfile() asks a transport what it can",
        "a sendfile() of everloop's own",
    ),
    Reliance(
        "events._ThreadSafeHandle",
        "isinstance() takes handles for it",
        "asyncio.Handle, on which nothing depends but tests",
        since=(3, 14),
    ),
    Reliance(
        "format_helpers._format_callback_source",
        "what a handle's callback looks like in reprs and messages",
        "reprlib",
        ("(func, args)", "(func, args, *, debug=False)"),
    ),
    Reliance(
        "format_helpers.extract_stack",
        "where a handle was made, in debug mode",
        "traceback.walk_stack()",
        ("(f=None, limit=None)",),
    ),
    Reliance("log.logger", "where asyncio logs", 'logging.getLogger("asyncio")'),
    Reliance(
        "sslproto.SSLProtocol",
        "TLS: handshake, shutdown and all that is rare; see TLS_NAMES",
        "a TLS protocol of everloop's own on ssl.SSLObject",
        (
            "(loop, app_protocol, sslcontext, waiter, server_side=False, server_hostname=None, "
            "call_connection_made=True, ssl_handshake_timeout=None, ssl_shutdown_timeout=None)",
        ),
    ),
    Reliance("sslproto.SSLProtocolState", "the states of that", "the same"),
    Reliance(
        "sslproto._SSLProtocolTransport",
        "what the application writes to above TLS",
        "the same",
        ("(loop, ssl_protocol)",),
    ),
    Reliance(
        "staggered.staggered_race",
        "happy eyeballs",
        "a task for each address, and asyncio.wait()",
        ("(coro_fns, delay, *, loop=None)",),
    ),
    Reliance("streams.StreamReaderProtocol._stream_reader", "take_unread()", "none"),
    Reliance("streams.StreamReader._buffer", "take_unread()", "none"),
    Reliance(
        "transports._FlowControlMixin",
        "the fallback of sendfile() asks for it",
        "a sendfile() of everloop's own",
    ),
    Reliance(
        "trsock.TransportSocket",
        "what transports and servers give for their sockets",
        "documented as such, but not how it is made",
        ("(sock)",),
    ),
)

# Methods of asyncio's loops that everloop has its own of, since inherited ones call them.
OVERRIDDEN = (
    Reliance(
        f"{SELECTOR_LOOP}._make_self_pipe",
        "the loop wakes up by a descriptor of its own",
        "not to call __init__() of asyncio's loop",
        (SELF,),
    ),
    Reliance(f"{SELECTOR_LOOP}._close_self_pipe", "the same", "the same", (SELF,)),
    Reliance(
        f"{SELECTOR_LOOP}._add_reader",
        "sock_*() watch by them",
        "sock_*() of everloop's own",
        ("(self, fd, callback, *args)", "(self, fd, callback, *args, context=None)"),
    ),
    Reliance(
        f"{SELECTOR_LOOP}._add_writer",
        "the same",
        "the same",
        ("(self, fd, callback, *args)", "(self, fd, callback, *args, context=None)"),
    ),
    Reliance(f"{SELECTOR_LOOP}._remove_reader", "the same", "the same", ("(self, fd)",)),
    Reliance(f"{SELECTOR_LOOP}._remove_writer", "the same", "the same", ("(self, fd)",)),
    Reliance(
        f"{SELECTOR_LOOP}._sock_read_done",
        "the end of a sock_recvfrom() ends no other wait for the socket",
        "sock_*() of everloop's own",
        ("(self, fd, fut, handle=None)",),
    ),
    Reliance(
        f"{SELECTOR_LOOP}._sock_write_done",
        "nor does that of a sock_sendto() or sock_connect()",
        "the same",
        ("(self, fd, fut, handle=None)",),
    ),
    Reliance(
        f"{SELECTOR_LOOP}._ensure_fd_no_transport",
        "sock_*() refuse what a transport uses",
        "sock_*() of everloop's own",
        ("(self, fd)",),
    ),
    Reliance(
        f"{SELECTOR_LOOP}._make_datagram_transport",
        "create_datagram_endpoint() makes its transport by it",
        "a create_datagram_endpoint() of everloop's own",
        ("(self, sock, protocol, address=None, waiter=None, extra=None)",),
    ),
    Reliance(
        f"{UNIX_LOOP}._make_subprocess_transport",
        "subprocess_exec() and subprocess_shell() make their transport by it; tools that look "
        "for blocking calls allow them below those",
        "own ones",
        ("(self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=None, **kwargs)",),
    ),
    Reliance(
        f"{SELECTOR_LOOP}._sendfile_native",
        "sendfile() calls it for a transport of everloop's",
        "a sendfile() of everloop's own",
        ("(self, transp, file, offset, count)",),
    ),
)

# Methods of asyncio's loops that are called here.
CALLED = (
    Reliance(
        f"{LOOP}._asyncgen_firstiter_hook",
        "the loop knows its asynchronous generators: shutdown_asyncgens()",
        "hooks and a shutdown_asyncgens() of everloop's own",
        ("(self, agen)",),
    ),
    Reliance(f"{LOOP}._asyncgen_finalizer_hook", "the same", "the same", ("(self, agen)",)),
    Reliance(
        f"{LOOP}._check_closed",
        "RuntimeError for a closed loop",
        "is_closed()",
        (SELF,),
    ),
    Reliance(
        f"{LOOP}._check_running",
        "RuntimeError for a loop that runs, or another in its thread",
        "is_running() and asyncio._get_running_loop(), which asyncio.__all__ has",
        (SELF,),
    ),
    Reliance(
        f"{LOOP}._set_coroutine_origin_tracking",
        "debug mode: where coroutines were made",
        "sys.set_coroutine_origin_tracking_depth()",
        ("(self, enabled)",),
    ),
    Reliance(
        "events._set_running_loop",
        "asyncio.get_running_loop(); asyncio.__all__ has it",
        "none: it is there for event loops",
        ("(loop, /)",),
    ),
    Reliance(
        "events._get_running_loop",
        "a loop that another one runs puts it back; asyncio.__all__ has it",
        "asyncio.get_running_loop()",
        ("()",),
    ),
    Reliance(
        "tasks._enter_task",
        "the same for its task, if it is swept by one; documented for those who extend asyncio",
        "none",
        ("(loop, task)",),
    ),
    Reliance("tasks._leave_task", "the same", "the same", ("(loop, task)",)),
    Reliance(
        f"{UNIX_LOOP}._check_signal",
        "ValueError or TypeError for what is no signal",
        "signal.valid_signals()",
        ("(self, sig)",),
    ),
    Reliance(
        "base_subprocess.BaseSubprocessTransport._wait",
        "asyncio.subprocess.Process.wait() calls it, here of everloop's own transport",
        "none",
        (SELF,),
    ),
    Reliance(
        "events.Handle._run",
        "calls a handler of a signal; makes all calls if a tool has replaced it",
        "call_soon() with the handle's context",
        (SELF,),
    ),
)

# What asyncio's loops keep of themselves, and everloop sets or reads under these names.
ATTRIBUTES = (
    Reliance(f"{LOOP}._closed", "_check_closed() reads it", "_check_closed() of its own"),
    Reliance(f"{LOOP}._debug", "set_debug() sets it", "set_debug() and get_debug() of its own"),
    Reliance(f"{LOOP}._stopping", "__init__() sets it", "another name"),
    Reliance(f"{LOOP}._task_factory", "set_task_factory() sets it", "get_task_factory()"),
    Reliance(f"{LOOP}._thread_id", "is_running() reads it", "an is_running() of its own"),
    Reliance(f"{SELECTOR_LOOP}._selector", "__init__() sets it; tools replace it", "none needed"),
    Reliance(f"{LOOP}._ready", "__init__() sets it, and close() clears it", "none needed"),
    Reliance(f"{LOOP}._scheduled", "the same", "none needed"),
    Reliance(f"{LOOP}._internal_fds", "for tools: how many descriptors are its own", "none needed"),
    Reliance(f"{UNIX_LOOP}._signal_handlers", "close() removes them", "a close() of its own"),
)

# Of sslproto.SSLProtocol and its transport. All are older than 3.11, and go when there is
# a TLS protocol of everloop's own; SSLCore has those fast that are on the way of data.
TLS_NAMES = {
    "_abort": "overridden: transports of everloop's close by another name",
    "_app_protocol": "the application's protocol",
    "_app_protocol_buffer_updated": "its method",
    "_app_protocol_get_buffer": "its method",
    "_app_protocol_is_buffer": "whether it has them",
    "_app_reading_paused": "pause_reading() by the application",
    "_app_transport": "what the application writes to",
    "_app_transport_created": "overridden with _get_app_transport()",
    "_app_writing_paused": "the application was told to pause writing",
    "_call_eof_received": "called at the end of the peer's data",
    "_control_app_writing": "called when much is to be sent",
    "_control_ssl_reading": "called when much has come",
    "_do_flush": "called for data that comes in that state",
    "_do_handshake": "the same",
    "_do_read": "overridden: the fast way for what has come",
    "_do_shutdown": "called for data that comes in that state",
    "_do_write": "called when what was written before could not be encrypted at once",
    "_fatal_error": "called for what can't go on",
    "_get_app_transport": "overridden: the transport is everloop's",
    "_get_read_buffer_size": "how much waits in _incoming and the ssl object, in bytes",
    "_incoming": "ssl.MemoryBIO from the network",
    "_incoming_high_water": "how much may wait in it, in bytes",
    "_loop": "the loop",
    "_on_shutdown_complete": "overridden: data after the shutdown is no error",
    "_outgoing": "ssl.MemoryBIO to the network",
    "_outgoing_high_water": "how much may wait in it, in bytes",
    "_check_shutdown_timeout": "called when the peer takes too long to answer the end",
    "_shutdown_timeout_handle": "of the timer for that answer",
    "_ssl_shutdown_timeout": "how long it may take, in seconds",
    "_process_outgoing": "overridden: the fast way for what is to go",
    "_set_app_protocol": "overridden: buffered protocols are told by their methods",
    "_set_state": "called by _abort()",
    "_ssl_buffer": "overridden: not needed below everloop's transports",
    "_ssl_buffer_view": "the same",
    "_ssl_protocol": "of the application's transport",
    "_ssl_reading_paused": "the network's transport was told to pause reading",
    "_ssl_writing_paused": "that has told to pause writing",
    "_sslobj": "ssl.SSLObject",
    "_start_shutdown": "called at the end of the peer's data",
    "_state": "an SSLProtocolState",
    "_transport": "the network's transport",
    "_waiter": "the future that waits for the handshake",
    "_wakeup_waiter": "overridden: start_tls() has its result before data comes",
    "_write_appdata": "called for what is no bytes object",
    "_write_backlog": "what could not be encrypted at once",
    "_write_buffer_size": "its size in bytes",
}

# Names that everloop's loops, servers, handles and transports have as asyncio's have them,
# on which nothing depends here: for tools that look at them, and tests.
OFFERED = {
    "loops": {
        "_add_callback",
        "_add_callback_signalsafe",
        "_check_thread",
        "_csock",
        "_handle_signal",
        "_make_socket_transport",
        "_make_ssl_transport",
        "_process_events",
        "_run_once",
        "_ssock",
        "_start_serving",
        "_stop_serving",
        "_timer_handle_cancelled",
        "_write_to_self",
    },
    "servers": {
        "_active_count",
        "_attach",
        "_clients",
        "_ssl_context",
        "_detach",
        "_serving",
        "_serving_forever_fut",
        "_sockets",
        "_start",
        "_waiters",
    },
    "handles": {
        "_args",
        "_callback",
        "_cancelled",
        "_context",
        "_loop",
        "_repr_info",
        "_run",
        "_scheduled",
        "_source_traceback",
        "_when",
    },
    "pipes": {"_fileno", "_pipe"},
    "processes": {"_pid", "_pipes", "_proc", "_returncode"},
    "transports": {
        "_address",
        "_closing",
        "_conn_lost",
        "_connection_lost",
        "_empty_waiter",
        "_eof",
        "_extra",
        "_fatal_error",
        "_force_close",
        "_high_water",
        "_loop",
        "_low_water",
        "_make_empty_waiter",
        "_paused",
        "_protocol",
        "_protocol_paused",
        "_reset_empty_waiter",
        "_sendfile_compatible",
        "_server",
        "_sock",
        "_sock_fd",
        "_start_tls_compatible",
    },
}
