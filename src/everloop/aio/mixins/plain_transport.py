"""What the transports have in common that are plain Python: of pipes and of subprocesses."""


class PlainTransport:
    """Has ``_loop``, which is None after the end, and ``_protocol``."""

    def get_protocol(self):
        """The protocol that is told what happens."""
        return self._protocol

    def set_protocol(self, protocol):
        """Tell another protocol from now on."""
        self._check_thread()
        self._protocol = protocol

    def _check_thread(self):
        if self._loop is not None:
            self._loop._check_own_thread()
