"""Which everloop this is, and which libev it follows."""

__version__ = "0.1.0"


def abi_version() -> tuple:
    """The version of libev whose interface everloop follows: (4, 33)."""
    return (4, 33)


def version() -> tuple:
    """The versions, as strings, of everloop and of the libev whose interface it follows."""
    return __version__, ".".join(map(str, abi_version()))
