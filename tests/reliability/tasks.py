"""The steps of a program's tasks."""

import asyncio
import contextlib
import zlib


class Tasks:
    """A coroutine step_NAME for each step NAME; what it returns or raises goes into the log."""

    async def script(self, number, steps):
        self.note("task", number, "starts")
        self.scripts.append(asyncio.current_task())
        for name, *arguments in steps:
            try:
                result = await getattr(self, f"step_{name}")(number, *arguments)
            except BaseException as error:
                self.note("task", number, name, type(error).__name__)
                raise
            self.note("task", number, name, result)
        return number

    async def step_do(self, number, operation):
        name, *arguments = operation
        if name != "raise":
            self.do(name, arguments, None)

    async def step_yield_(self, number):
        await asyncio.sleep(0)

    async def step_sleep(self, number, delay):
        await asyncio.sleep(self.moment(delay))

    async def step_await_future(self, number, index):
        if future := self.future_at(index):
            return await future

    async def step_await_task(self, number, index):
        if (task := self.task_at(index)) and task is not asyncio.current_task():
            return await asyncio.wait({task}, timeout=self.moment(3)) and None

    async def step_wait_for(self, number, delay, steps):
        script = self.script(self.next_number(), steps)
        return await asyncio.wait_for(script, self.moment(delay))

    async def step_timeout(self, number, delay, steps):
        async with asyncio.timeout(self.moment(delay)):
            await self.script(self.next_number(), steps)

    async def step_group(self, number, steps):
        # One, since a group cancels several in no order.
        async with asyncio.TaskGroup() as group:
            group.create_task(self.script(self.next_number(), steps))
            await asyncio.sleep(0)

    async def step_gather(self, number, steps):
        scripts = [self.script(self.next_number(), [step]) for step in steps]
        return len(await asyncio.gather(*scripts, return_exceptions=len(steps) % 2 == 0))

    async def step_shield(self, number, index):
        if future := self.future_at(index):
            return await asyncio.shield(future)

    async def step_wait(self, number, delay):
        if self.futures:
            done, pending = await asyncio.wait(
                self.futures, timeout=self.moment(delay), return_when=asyncio.FIRST_COMPLETED
            )
            return (len(done), len(pending))

    async def step_suppress(self, number, steps):
        try:
            await self.script(self.next_number(), steps)
        except (Exception, asyncio.CancelledError) as error:
            if self.ending:
                raise
            return type(error).__name__

    async def step_fail(self, number):
        raise LookupError("raised by the task")

    async def step_lock(self, number, index, steps):
        async with self.locks[index % 2]:
            await self.script(self.next_number(), steps)

    async def step_event_wait(self, number, index):
        return await self.events[index % 2].wait()

    async def step_queue_get(self, number, index):
        return await self.queues[index % 2].get()

    # Sockets

    async def using(self, index, use, other, operation):
        """operation(socket), unless something else waits for that."""
        end = self.end(index)
        if end is None or use in end.users or other in end.users:
            return None
        end.users.add(use)
        try:
            return await operation(end.sock)
        finally:
            # asyncio's loop looks no longer two turns after a cancel.
            self.loop.call_soon(self.loop.call_soon, end.users.discard, use)

    async def step_sock_recv(self, number, index, size):
        async def receive(sock):
            return zlib.crc32(await self.loop.sock_recv(sock, size))

        return await self.using(index, "receiving", "reader", receive)

    async def step_sock_recv_into(self, number, index, size):
        async def receive(sock):
            return await self.loop.sock_recv_into(sock, bytearray(size))

        return await self.using(index, "receiving", "reader", receive)

    async def step_sock_sendall(self, number, index, size):
        async def send(sock):
            await self.loop.sock_sendall(sock, self.data(size))

        return await self.using(index, "sending", "writer", send)

    # Streams

    def stream_at(self, index):
        return self.streams[index % len(self.streams)] if self.streams else (None, None)

    async def step_read(self, number, index, size):
        reader, _ = self.stream_at(index)
        if reader:
            data = await reader.read(size)
            return (len(data), zlib.crc32(data))

    async def step_readexactly(self, number, index, size):
        reader, _ = self.stream_at(index)
        if reader:
            return zlib.crc32(await reader.readexactly(size))

    async def step_readline(self, number, index):
        reader, _ = self.stream_at(index)
        if reader:
            return zlib.crc32(await reader.readline())

    async def step_stream_write(self, number, index, size):
        _, writer = self.stream_at(index)
        if writer:
            # asyncio's raises it if what was left has been sent after close().
            with contextlib.suppress(AttributeError):
                writer.write(self.data(size))
            return writer.transport.get_write_buffer_size()

    async def step_drain(self, number, index):
        _, writer = self.stream_at(index)
        if writer:
            await writer.drain()

    async def step_stream_close(self, number, index):
        _, writer = self.stream_at(index)
        if writer:
            writer.close()

    async def step_wait_closed(self, number, index):
        _, writer = self.stream_at(index)
        if writer:
            await writer.wait_closed()
