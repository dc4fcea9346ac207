"""End: a socket of a program's own."""


class End:
    """A socket that the program itself uses."""

    def __init__(self, sock, number):
        self.sock, self.number = sock, number
        self.users = set()
        sock.setblocking(False)
