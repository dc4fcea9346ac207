"""What becomes of a measurement that gives no figure."""


class Unavailable(Exception):
    """The peer has nothing that could do this work."""


class Failed(Exception):
    """The peer could not do this work; the message says all that there is to say."""
