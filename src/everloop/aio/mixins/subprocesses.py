"""Subprocesses: a transport for each, with transports for its pipes."""

import asyncio
import contextlib
import contextvars
import errno
import os
import signal
import subprocess
import sys
import threading
import warnings

from everloop.aio.mixins.plain_transport import PlainTransport
from everloop.aio.stdlib import logger
from everloop.errors import Error
from everloop.watchers.child import Child

# From Python 3.14 on, who waits for a process does not wait for its pipes.
PIPES_OUTLIVE = sys.version_info >= (3, 14)

# What the kernel says when it has no descriptors, or no memory, left.
NONE_LEFT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}

# Of a child of which somebody else, or the kernel, has taken the status.
UNKNOWN_STATUS = 255

# How pipes are called, in the order of their numbers.
PIPES = ("stdin", "stdout", "stderr")


class SubprocessTransport(PlainTransport, asyncio.SubprocessTransport):
    """A child process. All calls of its protocol run in one context."""

    def __init__(self, loop, protocol, args, options):
        """Starts the process, with the options of subprocess.Popen. Raises what that does."""
        super().__init__()
        self._closed = True
        protocol.connection_made  # noqa: B018 what is no protocol starts nothing
        self._loop = loop
        self._protocol = protocol
        self._context = contextvars.copy_context()
        self._returncode = None
        self._waits = []
        # Calls before connection_made(); None after it.
        self._early = []
        self._proc = None
        self._pipes = {
            fd: None for fd, name in enumerate(PIPES) if options[name] == subprocess.PIPE
        }
        self._proc = self._extra["subprocess"] = subprocess.Popen(args, **options)
        self._closed = False
        self._pid = self._proc.pid

    def __del__(self):
        if not self._closed:
            warnings.warn(
                f"unclosed transport {self!r}", ResourceWarning, stacklevel=1, source=self
            )
            self.close()

    def __repr__(self):
        info = [type(self).__name__]
        if self._closed:
            info.append("closed")
        info.append(f"pid={getattr(self, '_pid', None)}")
        if self._returncode is None:
            info.append("running")
        else:
            info.append(f"returncode={self._returncode}")
        for fd, each in self._pipes.items():
            if each is not None:
                info.append(f"{PIPES[fd]}={each.pipe}")
        return f"<{' '.join(info)}>"

    def is_closing(self):
        """Whether it has been closed."""
        return self._closed

    def get_pid(self):
        """The process's number."""
        return self._pid

    def get_returncode(self):
        """Its exit status, negative for a signal; None while it runs."""
        return self._returncode

    def get_pipe_transport(self, fd):
        """Of 0, 1 or 2; None if there is no such pipe."""
        pipe = self._pipes.get(fd)
        return None if pipe is None else pipe.pipe

    def send_signal(self, signal):
        """Send it a signal. Raises ProcessLookupError after connection_lost()."""
        self._check_thread()
        if self._proc is None:
            raise ProcessLookupError
        # Its number may be another's by now.
        if self._returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal)

    def terminate(self):
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self):
        """Close its pipes, and kill it if it runs."""
        self._check_thread()
        if self._closed:
            return
        self._closed = True
        self.close_pipes()
        if self._returncode is None and self._proc and self._proc.poll() is None:
            if self._loop.get_debug():
                logger.warning("Close running child process: kill %r", self)
            # It may have ended by now, or run as somebody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._proc.kill()

    def give_up(self):
        """End the process at once, since nobody would hear of its end."""
        self._closed = True
        self._proc.kill()
        for name in PIPES:
            if (pipe := getattr(self._proc, name)) is not None:
                pipe.close()
        self._returncode = self._proc.wait()

    async def _wait(self):
        """Wait until it has ended; returns its exit status. asyncio.subprocess calls it."""
        if self._returncode is not None:
            return self._returncode
        waiter = self._loop.create_future()
        self._waits.append(waiter)
        return await waiter

    # What happens

    async def begin(self):
        """Connect the pipes, and make the first calls of the protocol."""
        process = self._proc
        try:
            for fd in self._pipes:
                pipe = getattr(process, PIPES[fd])
                protocol = (ToChild if fd == 0 else FromChild)(self, fd)
                connect = self._loop.connect_write_pipe if fd == 0 else self._loop.connect_read_pipe
                await connect(lambda protocol=protocol: protocol, pipe)
                self._pipes[fd] = protocol
        except BaseException:
            self.close_pipes()
            for fd in self._pipes:
                getattr(process, PIPES[fd]).close()
            raise
        early, self._early = self._early, None
        self._soon(self._protocol.connection_made, self)
        for callback, args in early:
            self._soon(callback, *args)
        # Who asked for the process goes on after those.
        begun = self._loop.create_future()
        self._soon(lambda: begun.done() or begun.set_result(None))
        await begun

    def close_pipes(self):
        if self._loop is not None and not self._loop.is_closed():
            for each in self._pipes.values():
                if each is not None:
                    each.pipe.close()

    def exited(self, returncode):
        """The child has ended."""
        if self._loop.get_debug():
            logger.info("%r exited with return code %r", self, returncode)
        self._returncode = returncode
        if self._proc.returncode is None:
            # So that Popen does not wait for it.
            self._proc.returncode = returncode
        try:
            self._tell("process_exited")
        finally:
            self._finish_if_over()
            if PIPES_OUTLIVE or self._early is not None:
                self._end_waits()

    def pipe_lost(self, fd, error):
        self._tell("pipe_connection_lost", fd, error)
        self._finish_if_over()

    def pipe_data(self, fd, data):
        self._tell("pipe_data_received", fd, data)

    def _tell(self, method, *args):
        callback = getattr(self._protocol, method)
        if self._early is None:
            self._soon(callback, *args)
        else:
            self._early.append((callback, args))

    def _soon(self, callback, *args):
        self._loop.call_soon(callback, *args, context=self._context)

    def _finish_if_over(self):
        over = all(each is not None and each.disconnected for each in self._pipes.values())
        if not over or self._returncode is None:
            return
        if self._early is None:
            self._soon(self._lose)
        else:
            self._early.append((self._lose, ()))

    def _lose(self):
        try:
            self._protocol.connection_lost(None)
        finally:
            self._end_waits()
            self._loop = self._proc = self._protocol = None

    def _end_waits(self):
        waiters, self._waits = self._waits, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(self._returncode)


class ToChild(asyncio.BaseProtocol):
    """The protocol of the pipe that a child reads."""

    def __init__(self, process, fd):
        self.proc = process
        self.fd = fd
        self.pipe = None
        self.disconnected = False

    def connection_made(self, transport):
        self.pipe = transport

    def connection_lost(self, error):
        self.disconnected = True
        self.proc.pipe_lost(self.fd, error)
        self.proc = None

    def pause_writing(self):
        self.proc.get_protocol().pause_writing()

    def resume_writing(self):
        self.proc.get_protocol().resume_writing()


class FromChild(ToChild, asyncio.Protocol):
    """The protocol of a pipe that a child writes to."""

    def data_received(self, data):
        self.proc.pipe_data(self.fd, data)


class Subprocesses:
    """The part of EventLoop that starts programs."""

    async def _make_subprocess_transport(
        self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=None, **options
    ):
        """asyncio's subprocess_exec() and subprocess_shell() check and say the rest."""
        self._check_closed()
        pipes = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        options = {**pipes, **options, "shell": shell, "bufsize": bufsize}
        transport = SubprocessTransport(self, protocol, args, options)
        try:
            self._watch_child(transport)
        except BaseException:
            transport.give_up()
            raise
        try:
            await transport.begin()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await asyncio.shield(transport._wait())
            raise
        return transport

    def _watch_child(self, transport):
        try:
            Child(transport.get_pid(), False, self, self._child_ended, transport).start()
        except (ChildProcessError, ProcessLookupError):
            # The kernel tells nobody its status if SIGCHLD is ignored, and tells it once.
            pid = transport.get_pid()
            warnings.warn(
                f"the status of child {pid} was taken by somebody else: "
                f"reported as {UNKNOWN_STATUS}",
                RuntimeWarning,
                stacklevel=2,
            )
            self.call_soon(transport.exited, UNKNOWN_STATUS)
        except OSError as error:
            if error.errno not in NONE_LEFT:
                raise
            self._watch_by_thread(transport)
        except Error:
            # The kernel, or a sandbox, has no pidfd.
            if self.is_closed():
                raise
            self._watch_by_thread(transport)

    def _watch_by_thread(self, transport):
        # The program runs by now. A thread needs no descriptor to wait for it.
        threading.Thread(
            target=self._wait_for_child, args=[transport], name="child", daemon=True
        ).start()

    def _wait_for_child(self, transport):
        status = transport.get_extra_info("subprocess").wait()
        # A loop that has been closed does not ask for it.
        with contextlib.suppress(RuntimeError):
            self.call_soon_threadsafe(transport.exited, status)

    def _child_ended(self, watcher, revents):
        # Not at once: the end of a child has the highest priority, and would come before
        # the first step of a task that is about to wait for it. Until that is asked for,
        # without memory, the event stays.
        watcher.feed(revents)
        self.call_soon(watcher.data.exited, os.waitstatus_to_exitcode(watcher.rstatus))
        watcher.stop()
