"""An everloop loop as the guest of Tk: coroutines and watchers beside a window.

Shows Loop.fileno() and Loop.timeout(), which other main loops can wait for. Tk watches the
descriptor (createfilehandler) and the time (after), and runs a pass of the loop for each.
No thread is needed, and callbacks and coroutines may use the window as they like.

    python examples/guest_tk.py --port 7005
    echo hello | nc -w1 localhost 7005

The window shows the lines that come by TCP. It ends when that is closed, or by Ctrl-C or
SIGTERM.
"""

import argparse
import asyncio
import contextlib
import math
import signal
from typing import TYPE_CHECKING

import everloop

if TYPE_CHECKING:
    import tkinter


class Guest:
    """Runs a loop while Tk's main loop runs."""

    def __init__(self, window: "tkinter.Tk", loop: everloop.Loop) -> None:
        self.window = window
        self.loop = loop
        self.fd = loop.fileno()
        self.alarm: str | None = None
        window.createfilehandler(self.fd, 2, self.run)  # 2: tkinter.READABLE
        self.run()

    def run(self, *_: object) -> None:
        """The descriptor is readable, or it is time."""
        self.loop.start(everloop.EVRUN_NOWAIT)
        if self.alarm is not None:
            self.window.after_cancel(self.alarm)
        left = self.loop.timeout()
        self.alarm = None
        if left is not None:
            self.alarm = self.window.after(math.ceil(left * 1000), self.run)

    def leave(self) -> None:
        self.window.deletefilehandler(self.fd)
        if self.alarm is not None:
            self.window.after_cancel(self.alarm)


class Application:
    """A window with the latest line, and a server of the loop's."""

    def __init__(self, window: "tkinter.Tk", label: "tkinter.Label") -> None:
        self.window = window
        self.label = label

    def start(self, loop: everloop.EventLoop) -> None:
        self.counting = loop.create_task(self.count())

    async def show(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            async for line in reader:
                self.label["text"] = line.decode(errors="replace").strip()
                print(f"the window shows: {self.label['text']}", flush=True)
                writer.write(line)
                await writer.drain()
        writer.close()

    async def count(self) -> None:
        """A coroutine beside the window: its title tells how long it has been there."""
        for seconds in range(1, 10**9):
            await asyncio.sleep(1)
            self.window.title(f"{seconds} s")


async def end(server: asyncio.Server) -> None:
    """Stop listening, and have each connection closed by its coroutine."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="A loop as a guest of Tk.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7005, help="0: any that is free")
    args = parser.parse_args()
    try:
        import tkinter
    except ImportError as error:
        raise SystemExit(f"Tk is missing ({error}): apt-get install python3-tk") from None
    try:
        window = tkinter.Tk()
    except tkinter.TclError as error:
        raise SystemExit(f"there is no display: {error}") from None
    label = tkinter.Label(window, text="nothing yet", width=40, height=5)
    label.pack()
    application = Application(window, label)
    with everloop.EventLoop() as loop:
        try:
            server = loop.run_until_complete(
                asyncio.start_server(application.show, args.host, args.port)
            )
        except OSError as error:
            raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: window.quit()).start()
        application.start(loop)
        window.protocol("WM_DELETE_WINDOW", window.quit)
        guest = Guest(window, loop)
        print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
        window.mainloop()
        guest.leave()
        loop.run_until_complete(end(server))
    window.destroy()


if __name__ == "__main__":
    main()
