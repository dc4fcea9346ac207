"""CallbackIo: what add_reader() and add_writer() put into the loop."""

import cython
from cython.cimports.everloop.aio.calls.handle import Handle, run_handle
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo, prepare
from cython.cimports.everloop.aio.descriptors.watching import Watching
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.libc.errno import EBADF


@cython.final
@cython.cclass
class CallbackIo(ServedIo):
    """Makes a handle's call each time the descriptor is ready."""

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, revents: cython.int) -> cython.int:
        if self.handle.is_cancelled:
            return self.end()
        return run_handle(self.handle)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refused(self, error: cython.int) -> cython.int:
        """As on asyncio, nothing is said of a descriptor that the program has closed."""
        if error != EBADF:
            failure: object = system_error(error)
            self.loop.call_exception_handler(
                {"message": f"{self!r} was stopped", "exception": failure}
            )
        return 0


@cython.cfunc
def new_callback_io(
    loop: Watching, fd: cython.int, events: cython.int, handle: Handle
) -> CallbackIo:
    self: CallbackIo = CallbackIo.__new__(CallbackIo)
    prepare(self, loop, fd, events)
    self.handle = handle
    return self
