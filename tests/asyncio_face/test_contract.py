"""What the asyncio face takes for granted of the standard library, and whether it is so.

The first tests to read on a new version of Python: each failure is a sentence that says
what has changed.
"""

import ast
import asyncio
import functools
import importlib
import inspect
import pathlib
import sys

import pytest

import everloop
from everloop.aio import stdlib

VERSION = ".".join(map(str, sys.version_info[:3]))
METHODS = (*stdlib.OVERRIDDEN, *stdlib.CALLED)
RELIANCES = (*stdlib.IMPORTED, *METHODS, *stdlib.ATTRIBUTES)
# Not all of it is installed.
FACE = pathlib.Path(__file__).parents[2] / "src" / "everloop" / "aio"


def find(name):
    """The object of a dotted name below asyncio. Raises AttributeError if there is none."""
    module, *path = name.split(".")
    return functools.reduce(getattr, path, importlib.import_module(f"asyncio.{module}"))


def without_types(signature):
    empty = inspect.Signature.empty
    parameters = [each.replace(annotation=empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=empty))


def private_names(path):
    """All that begin with an underscore in a source."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for field in ("attr", "name", "id"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                names.add(name.rpartition(".")[2])
    return {name for name in names if name.strip("_") and name[0] == "_" and name[1] != "_"}


@functools.cache
def names_of_asyncio():
    sources = pathlib.Path(asyncio.__file__).parent.glob("*.py")
    on_unix = [path for path in sources if not path.stem.startswith(("windows", "proactor"))]
    return set().union(*map(private_names, on_unix))


def listed():
    names = {reliance.name.rpartition(".")[2] for reliance in RELIANCES}
    return names.union(stdlib.TLS_NAMES, *stdlib.OFFERED.values())


def by_name(reliance):
    return reliance.name


@pytest.mark.parametrize("reliance", RELIANCES, ids=by_name)
def test_names(reliance):
    if sys.version_info < reliance.since:
        return
    owner, _, name = reliance.name.rpartition(".")
    if reliance in stdlib.ATTRIBUTES:
        loop = asyncio.SelectorEventLoop()
        there = hasattr(loop, name)
        loop.close()
    elif name in ("_stream_reader", "_buffer"):
        there = name in inspect.getsource(find(owner))
    else:
        try:
            there = bool(find(reliance.name)) or True
        except (AttributeError, ImportError):
            there = False
    assert there, (
        f"Python {VERSION} has no asyncio.{reliance.name} any more, which everloop needs: "
        f"{reliance.purpose}. What could replace it: {reliance.replacement}."
    )


@pytest.mark.parametrize("reliance", [each for each in RELIANCES if each.signatures], ids=by_name)
def test_signatures(reliance):
    found = without_types(inspect.signature(find(reliance.name)))
    assert found in reliance.signatures, (
        f"Python {VERSION} calls asyncio.{reliance.name} with {found}; everloop knows "
        f"{' and '.join(reliance.signatures)}. It needs it: {reliance.purpose}. "
        f"What could replace it: {reliance.replacement}."
    )


@pytest.mark.parametrize("reliance", stdlib.OVERRIDDEN, ids=by_name)
def test_overridden_methods(reliance):
    name = reliance.name.rpartition(".")[2]
    ours = inspect.getattr_static(everloop.EventLoop, name)
    assert ours is not inspect.getattr_static(asyncio.SelectorEventLoop, name), (
        f"EventLoop has no {name}() of its own, of which stdlib.py says that it has."
    )


@pytest.mark.parametrize("name", stdlib.TLS_NAMES)
def test_names_of_tls(name):
    source = inspect.getsource(find("sslproto"))
    assert name in source, (
        f"Python {VERSION}'s SSLProtocol has no {name} any more, which everloop's TLS needs: "
        f"{stdlib.TLS_NAMES[name]}."
    )


def test_new_methods_of_servers():
    """A public one that our servers inherit would look for asyncio's attributes."""
    base, ours = asyncio.Server, type(server_of_everloop())
    inherited = {
        name
        for name in vars(base)
        if not name.startswith("_") and getattr(ours, name) is getattr(base, name)
    }
    assert not inherited, (
        f"Python {VERSION}'s asyncio.Server has {', '.join(inherited)}, and everloop's Server "
        "none of its own."
    )


def server_of_everloop():
    async def make():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        server.close()
        return server

    return everloop.run(make())


@pytest.mark.parametrize("path", sorted(FACE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_private_name_is_listed(path):
    unlisted = private_names(path) & names_of_asyncio() - listed()
    assert path.stem == "stdlib" or not unlisted, (
        f"{path.name} uses {', '.join(sorted(unlisted))}, which asyncio has, too: "
        "say in stdlib.py what for, or give it another name."
    )


def test_every_listed_name_is_used():
    files = [path for path in FACE.rglob("*.py") if path.stem != "stdlib"]
    used = set().union(*map(private_names, files))
    names = {each.name.rpartition(".")[2] for each in (*METHODS, *stdlib.ATTRIBUTES)}
    assert not names.union(stdlib.TLS_NAMES, *stdlib.OFFERED.values()) - used
