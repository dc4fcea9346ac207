"""The rules of docs/architecture.md about who may know whom, held against the sources."""

import pathlib
import re

import pytest

# Not all of it is installed.
SOURCE = pathlib.Path(__file__).parents[1] / "src" / "everloop"
LINES = 500

# What a folder may import, besides itself, LEAVES and the declarations in sys/. "top" is the
# modules beside the folders. A kind of watcher knows no backend and no phase, a backend no
# watcher, and nothing but aio/ knows of asyncio.
MAY_IMPORT = {
    "queues": {"backends", "watchers"},
    "backends": {"queues"},
    "process": {"engine"},
    "engine": {"backends", "process", "queues", "watcher"},
    "watchers": {"engine", "process", "queues", "watcher", "watchers/inodes", "watchers/internal"},
    "watchers/inodes": {"engine", "process", "queues", "watcher", "watchers"},
    "watchers/internal": {"engine", "queues", "watcher", "watchers"},
    "phases": {"engine", "process", "queues", "watcher", "watchers", "watchers/internal"},
    "aio": {
        "aio/descriptors",
        "aio/mixins",
        "aio/transports",
        "engine",
        "loop",
        "process",
        "watcher",
        "watchers",
    },
    "aio/calls": {"aio/stdlib", "engine", "loop", "process", "queues", "watcher", "watchers"},
    "aio/descriptors": {"aio/calls", "engine", "loop", "queues", "watcher", "watchers"},
    "aio/transports": {"aio/calls", "aio/descriptors", "aio/stdlib", "engine"},
    "aio/mixins": {"aio/stdlib", "aio/transports", "process", "watchers"},
    "aio/stdlib": set(),
    "monitoring": {"monitoring/tasks", "statistics"},
    "monitoring/tasks": set(),
    "watcher": {"engine", "queues"},
    "default": {"engine", "loop"},
    "factories": {"phases", "watchers"},
    "loop": {
        "backends",
        "engine",
        "factories",
        "process",
        "queues",
        "statistics",
        "watcher",
        "watchers",
        "watchers/internal",
    },
}
# Known to everybody; they know the system's interfaces, and each other.
LEAVES = {"arguments", "clock", "constants", "errors", "unusable"}
# A room of its own inside a folder: the standard library's private names; what knows tasks.
ALONE = {"aio/stdlib", "monitoring/tasks"}
# What is to be seen from the outside puts together whatever there is.
UNBOUND = {"__init__", "__main__", "features", "pytest_plugin"}
# Arrows between folders that only some modules may draw.
ONLY = {
    ("queues", "watchers"): {"descriptors", "descriptors_inline"},
    ("queues", "backends"): {"descriptors"},
    ("watchers", "watchers/inodes"): {"stat", "tree"},
    ("watchers", "watchers/internal"): {"child", "signal"},
    ("engine", "backends"): {"kernel_side"},
    ("aio/transports", "aio/calls"): {"protocol_calls"},
}
IMPORT = re.compile(
    r"^\s*(?:from (?:cython\.cimports\.)?everloop((?:\.\w+)*) c?import (\([^)]*\)|[^\n#]+)"
    r"|c?import everloop((?:\.\w+)*))",
    re.MULTILINE,
)
MODULES = sorted(
    path
    for path in SOURCE.glob("**/*")
    if path.suffix in {".py", ".pxd"} and path.parent.name != "sys"
)


def room(path):
    """The folder that a module or a package is in; of those at the top, its own name."""
    place = path.relative_to(SOURCE).with_suffix("")
    if place.as_posix() in ALONE:
        return place.as_posix()
    return place.name if len(place.parts) == 1 else place.parent.as_posix()


def imported(path):
    """The modules of everloop that a source imports or cimports, as paths without suffix."""
    for module, names, plain in IMPORT.findall(path.read_text()):
        place = SOURCE.joinpath(*(module or plain).split(".")[1:])
        for name in re.findall(r"\w+", names) if place.is_dir() else ():
            if (place / name).is_dir() or any(place.glob(f"{name}.p*")):
                yield place / name
        if not place.is_dir():
            yield place


def arrows(path):
    for target in imported(path):
        there = room(target)
        if there not in {room(path), "sys"} and there not in LEAVES | {"_compiled"}:
            yield there


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_room_knows_more_than_it_may(path):
    here = room(path)
    if here in UNBOUND:
        return
    for there in arrows(path):
        allowed = MAY_IMPORT.get(here, set())
        assert there in allowed, f"{here} must not import {there}"
        only = ONLY.get((here, there))
        assert only is None or path.stem in only, f"{path.name} must not import {there}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_asyncio_is_known_to_its_face_only(path):
    if not room(path).startswith(("aio", "monitoring/tasks")) and room(path) not in UNBOUND:
        assert not re.search(r"^\s*(import|from) asyncio\b", path.read_text(), re.MULTILINE)
        assert here_or_nowhere(path, "aio")


def here_or_nowhere(path, folder):
    """Whether nothing of a folder is imported; the package itself loads the asyncio face."""
    if path == SOURCE / "__init__.py":
        return True
    return not any(there.startswith(folder) for there in arrows(path))


def test_the_table_draws_no_arrow_that_is_not_there():
    drawn = {(room(path), there) for path in MODULES for there in arrows(path)}
    listed = {(here, there) for here, targets in MAY_IMPORT.items() for there in targets}
    assert sorted(listed - drawn) == []
    assert not set(ONLY) - listed


def test_an_arrow_is_seen(tmp_path):
    source = tmp_path / "module.py"
    for text, there in (
        ("from cython.cimports.everloop.backends.epoll import EpollBackend", "backends"),
        ("from everloop.backends.epoll cimport EpollBackend", "backends"),
        ("from everloop.watchers import timer", "watchers"),
        ("    from everloop.aio import (\n    core,\n)", "aio"),
        ("import everloop.loop", "loop"),
        ("from everloop.watchers.internal.owned import own", "watchers/internal"),
    ):
        source.write_text(text)
        assert [room(target) for target in imported(source)] == [there], text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_too_long(path):
    assert len(path.read_text().splitlines()) <= LINES
