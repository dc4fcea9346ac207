"""The operations of a program that are plain calls."""

import asyncio
import os
import socket
import struct
import sys

RESET = struct.pack("ii", 1, 0)


def outcome(future):
    """How a future is, in a word."""
    if not future.done():
        return "waits"
    return "cancelled" if future.cancelled() else "done"


class Acting:
    """A method do_NAME for each operation NAME; what it returns goes into the log."""

    # Calls

    def do_soon(self, body, own):
        self.handles.append(self.loop.call_soon(self.body("soon", body, own)))

    def do_soon_threadsafe(self, body, own):
        self.handles.append(self.loop.call_soon_threadsafe(self.body("threadsafe", body, own)))

    def do_later(self, delay, body, own):
        call = self.body("later", body, own)
        self.timers.append(self.loop.call_later(self.moment(delay), call))

    def do_at(self, delay, body, own):
        call = self.body("at", body, own)
        self.timers.append(self.loop.call_at(self.now + self.moment(delay), call))

    def do_cancel(self, index, own):
        return self.cancelled(self.handles, index)

    def do_cancel_timer(self, index, own):
        return self.cancelled(self.timers, index)

    def cancelled(self, handles, index):
        if not handles:
            return None
        handle = handles[index % len(handles)]
        before = handle.cancelled()
        handle.cancel()
        return before

    def do_advance(self, own):
        self.now += 1

    def do_stop(self, own):
        self.loop.stop()

    def do_report(self, own):
        self.loop.call_exception_handler({"message": "by the program"})

    # Futures and tasks

    def future_at(self, index):
        return self.futures[index % len(self.futures)] if self.futures else None

    def task_at(self, index):
        return self.tasks[index % len(self.tasks)] if self.tasks else None

    def do_future(self, own):
        self.futures.append(self.loop.create_future())

    def do_future_result(self, index, own):
        if future := self.future_at(index):
            future.set_result(index)

    def do_future_error(self, index, own):
        if future := self.future_at(index):
            future.set_exception(KeyError(index))
            future.exception()

    def do_future_cancel(self, index, own):
        return (future := self.future_at(index)) and future.cancel()

    def do_future_callback(self, index, body, own):
        if future := self.future_at(index):
            future.add_done_callback(self.body("future", body, own))
            return outcome(future)

    def do_task(self, steps, own):
        self.task_of(self.script(self.next_number(), steps), "task")

    def do_task_cancel(self, index, own):
        return (task := self.task_at(index)) and task.cancel()

    def do_task_callback(self, index, body, own):
        if task := self.task_at(index):
            task.add_done_callback(self.body("task callback", body, own))
            return outcome(task)

    def do_event_set(self, index, own):
        self.events[index % 2].set()

    def do_event_clear(self, index, own):
        self.events[index % 2].clear()

    def do_queue_put(self, index, own):
        self.queues[index % 2].put_nowait(index)

    # Sockets of the program's own

    def do_pair(self, kind, own):
        if self.has_room():
            for sock in self.pair(kind):
                self.add_end(sock)

    def do_send(self, index, size, own):
        if end := self.end(index):
            return end.sock.send(self.data(size))

    def do_receive(self, index, size, own):
        if end := self.end(index):
            return len(end.sock.recv(size))

    def do_shutdown(self, index, own):
        if end := self.end(index):
            end.sock.shutdown(socket.SHUT_WR)

    def do_close_socket(self, index, own):
        if end := self.free_end(index):
            end.sock.close()

    def do_reset(self, index, own):
        if end := self.free_end(index):
            if end.sock.family == socket.AF_INET:
                end.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.sock.close()

    def do_add_reader(self, index, size, body, own):
        end = self.end(index)
        if end is None or "receiving" in end.users:
            return
        call = self.body("reader", body, own)

        def readable():
            try:
                self.note("received", end.number, len(end.sock.recv(size)))
            except OSError as error:
                self.note("received", end.number, error.errno)
            call()

        self.loop.add_reader(end.sock, readable)
        end.users.add("reader")

    def do_add_writer(self, index, body, own):
        end = self.end(index)
        if end is not None and "sending" not in end.users:
            self.loop.add_writer(end.sock, self.body("writer", body, own))
            end.users.add("writer")

    def do_remove_reader(self, index, own):
        if (end := self.end(index)) and "receiving" not in end.users:
            end.users.discard("reader")
            return self.loop.remove_reader(end.sock)

    def do_remove_writer(self, index, own):
        if (end := self.end(index)) and "sending" not in end.users:
            end.users.discard("writer")
            return self.loop.remove_writer(end.sock)

    # Transports

    def do_transport(self, index, flavour, reactions, own):
        if end := self.free_end(index):
            protocol = self.make_protocol(flavour, reactions)
            making = self.loop.create_connection(lambda: protocol, sock=end.sock)
            self.task_of(self.connected(making), "connection")

    async def connected(self, making):
        transport, _ = await making
        self.transports.append(transport)

    def do_write(self, index, size, own):
        if (transport := self.transport(index, own)) and hasattr(transport, "write_eof"):
            transport.write(self.data(size))

    def do_writelines(self, index, sizes, own):
        transport = self.transport(index, own)
        if not transport or not hasattr(transport, "write_eof"):
            return
        # asyncio's, from Python 3.12 on, sends what is nothing, and fails oddly when it closes;
        # up to early releases of 3.13 it tells no protocol to pause.
        held_back = (3, 12) <= sys.version_info < (3, 14)
        if any(sizes) and not transport.is_closing() and not held_back:
            transport.writelines([self.data(size) for size in sizes])

    def do_write_eof(self, index, own):
        if (transport := self.transport(index, own)) and hasattr(transport, "write_eof"):
            transport.write_eof()

    # Those of asyncio's without gh-156512 that end in resume_writing() are lost twice.

    def do_close(self, index, own):
        if not self.resuming and (transport := self.transport(index, own)):
            transport.close()

    def do_abort(self, index, own):
        if self.resuming:
            return
        if (transport := self.transport(index, own)) and hasattr(transport, "abort"):
            transport.abort()

    def do_pause(self, index, own):
        if transport := self.of_a_socket(index, own):
            transport.pause_reading()

    def do_resume(self, index, own):
        if transport := self.of_a_socket(index, own):
            transport.resume_reading()

    def do_limits(self, index, limits, own):
        if transport := self.of_a_socket(index, own):
            transport.set_write_buffer_limits(*limits)
            return transport.get_write_buffer_limits()

    def do_look(self, index, own):
        if transport := self.of_a_socket(index, own):
            look = [transport.is_closing(), transport.is_reading()]
            if hasattr(transport, "get_write_buffer_size"):
                look.append(transport.get_write_buffer_size())
            return look

    def do_set_protocol(self, index, flavour, reactions, own):
        if transport := self.of_a_socket(index, own):
            protocol = self.make_protocol(flavour, reactions)
            protocol.transport = transport
            transport.set_protocol(protocol)

    # Pipes

    def do_pipe(self, own):
        if not self.has_room():
            return
        for fd, mode in zip(os.pipe(), "rw", strict=True):
            end = self.distinct(fd)
            os.close(fd)
            os.set_blocking(end, False)
            self.pipe_ends.append((end, mode))

    def pipe_end(self, index, mode):
        ends = [end for end in self.pipe_ends if end[1] == mode]
        return ends[index % len(ends)] if ends else None

    def do_read_pipe(self, index, reactions, own):
        self.own_pipe(index, "r", self.loop.connect_read_pipe, reactions)

    def do_write_pipe(self, index, reactions, own):
        # asyncio's transport watches a descriptor that connection_made() has had closed.
        later = [reaction for reaction in reactions if reaction[0] != "made"]
        self.own_pipe(index, "w", self.loop.connect_write_pipe, later)

    def own_pipe(self, index, mode, connect, reactions):
        if end := self.pipe_end(index, mode):
            self.pipe_ends.remove(end)
            protocol = self.make_protocol("plain", reactions)
            pipe = open(end[0], f"{mode}b", 0)
            self.stack.enter_context(pipe)
            self.task_of(self.connected(connect(lambda: protocol, pipe)), "pipe")

    def do_pipe_write(self, index, size, own):
        if end := self.pipe_end(index, "w"):
            return os.write(end[0], self.data(size))

    def do_pipe_read(self, index, size, own):
        if end := self.pipe_end(index, "r"):
            return len(os.read(end[0], size))

    def do_close_pipe(self, index, own):
        if self.pipe_ends:
            fd, _ = self.pipe_ends.pop(index % len(self.pipe_ends))
            os.close(fd)

    # Streams

    def do_stream(self, index, own):
        if end := self.free_end(index):
            self.task_of(self.streaming(asyncio.open_connection(sock=end.sock)), "stream")

    async def streaming(self, opening):
        self.streams.append(await opening)
