"""TreeChange: what a Tree tells."""

from typing import NamedTuple


class TreeChange(NamedTuple):
    """What happened to something below the directory of a `Tree`.

    kind: "created", "deleted", "moved", "modified" (its contents), "closed" (after it
    had been open for writing) or "attributes" (its mode, owner, times, links).
    path: where it is now; or was, of what was deleted. As the Tree's path, str or bytes.
    old_path: where it was, of what was moved, else None.
    is_directory: whether it is a directory.
    """

    kind: str
    path: str | bytes
    old_path: str | bytes | None
    is_directory: bool


TreeChange.__module__ = "everloop"
