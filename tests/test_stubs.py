"""The stubs say what the compiled package does: names, parameters, defaults, attributes.

Parameters are compared with what inspect.signature() tells, which is what help() shows.
"""

import ast
import inspect
import os
from collections.abc import Callable, Iterator
from functools import cache
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import everloop
import everloop.clock
import everloop.constants

PACKAGE = Path(everloop.__file__).parent
STUBS = {
    everloop: PACKAGE / "__init__.pyi",
    everloop.clock: PACKAGE / "clock.pyi",
    everloop.constants: PACKAGE / "constants.pyi",
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Slots of a compiled class have no signature at run time.
SLOTS = {"__await__", "__aiter__"}
STATEMENTS = {"__enter__", "__exit__", "__aenter__", "__aexit__"} | SLOTS
KINDS: dict[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_KEYWORD: "**",
}


class Parameter(NamedTuple):
    name: str
    kind: str
    default: object = inspect.Parameter.empty


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def is_public(name: str) -> bool:
    """A keyword is no name that a stub could declare: ``async`` is there for getattr."""
    return not name.startswith("_") and not iskeyword(name)


# What the stubs say


def declared(path: Path) -> dict[str, ast.stmt]:
    """The names that a stub gives to the users of its module, and how."""
    names: dict[str, ast.stmt] = {}
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom):
            names |= imported(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = node
        elif isinstance(node, (ast.ClassDef, *FUNCTIONS)):
            names[node.name] = node
    return names


def imported(node: ast.ImportFrom) -> dict[str, ast.stmt]:
    """The names that an import passes on: ``from m import *`` and ``import x as x``."""
    if node.module not in {"everloop.clock", "everloop.constants"}:
        return {}
    source = declared(PACKAGE / f"{node.module.rpartition('.')[2]}.pyi")
    if node.names[0].name == "*":
        return source
    return {alias.name: source[alias.name] for alias in node.names if alias.asname}


def classes() -> Iterator[tuple[type, dict[str, ast.stmt]]]:
    """The public classes, each with what its stub says of its members."""
    for module, path in STUBS.items():
        for name, node in declared(path).items():
            if isinstance(node, ast.ClassDef) and is_public(name) and hasattr(module, name):
                yield getattr(module, name), members(node, path)


def members(node: ast.ClassDef, path: Path) -> dict[str, ast.stmt]:
    """The members of a stub's class and of its bases in that stub."""
    found: dict[str, ast.stmt] = {}
    for base in node.bases:
        parent = declared(path).get(ast.unparse(base))
        if isinstance(parent, ast.ClassDef):
            found |= members(parent, path)
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            found[item.target.id] = item
        elif isinstance(item, FUNCTIONS):
            found[item.name] = item
    return found


def is_property(node: ast.stmt) -> bool:
    return isinstance(node, FUNCTIONS) and "property" in map(ast.unparse, node.decorator_list)


# What the package does


def runtime_parameters(function: Any) -> list[Parameter]:
    """What inspect.signature() says, of a class what makes one."""
    found = []
    for each in inspect.signature(function).parameters.values():
        kind = KINDS.get(each.kind, "positional")
        found.append(Parameter(each.name, kind, each.default))
    return [each for each in found if each.name != "self"]


def parameters(arguments: ast.arguments) -> list[Parameter]:
    """In order, without self; whether one is positional only is left out."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    found = [
        parameter(argument, "positional", default)
        for argument, default in zip(positional, defaults, strict=True)
    ]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*"))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(parameter(argument, "keyword", default))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**"))
    return [each for each in found if each.name != "self"]


def parameter(argument: ast.arg, kind: str, default: ast.expr | None) -> Parameter:
    if default is None:
        return Parameter(argument.arg, kind)
    return Parameter(argument.arg, kind, eval(ast.unparse(default), vars(everloop)))


def ignore(watcher: object, revents: int) -> None:
    pass


MAKERS: dict[str, Callable[[everloop.Loop], object]] = {
    "Async": lambda loop: loop.async_(ignore),
    "Check": lambda loop: loop.check(ignore),
    "Child": lambda loop: loop.child(os.getpid(), False, ignore),
    "Clock": lambda loop: loop.clock,
    "Embed": lambda loop: loop.embed(everloop.Loop(everloop.EVBACKEND_EPOLL), ignore),
    "Error": lambda loop: everloop.Error(),
    "EventLoop": lambda loop: loop,
    "Fork": lambda loop: loop.fork(ignore),
    "Idle": lambda loop: loop.idle(ignore),
    "Io": lambda loop: loop.io(0, everloop.EV_READ, ignore),
    "Loop": lambda loop: loop,
    "ManualClock": lambda loop: everloop.ManualClock(),
    "Periodic": lambda loop: loop.periodic(0.0, 1.0, ignore),
    "Prepare": lambda loop: loop.prepare(ignore),
    "Scheduler": lambda loop: loop.scheduler(lambda watcher, now: now + 1.0, ignore),
    "Signal": lambda loop: loop.signal(10, ignore),
    "Stat": lambda loop: loop.stat("/", 0.0, ignore),
    "Timer": lambda loop: loop.timer(1.0, 1.0, ignore),
    "Watcher": lambda loop: loop.idle(ignore),
    "Tree": lambda loop: loop.tree("/", ignore),
    "TreeChange": lambda loop: everloop.TreeChange("created", "/a", None, False),
}


def can_be_set(thing: object, name: str) -> bool:
    try:
        setattr(thing, name, getattr(thing, name))
    except AttributeError:
        return False
    return True


# The comparison

each_module = pytest.mark.parametrize("module", STUBS, ids=lambda module: module.__name__)
each_class = pytest.mark.parametrize(
    ("kind", "stub"),
    [pytest.param(kind, stub, id=kind.__name__) for kind, stub in classes()],
)


@each_module
def test_public_names(module: ModuleType) -> None:
    runtime = {
        name
        for name in dir(module)
        if is_public(name) and not inspect.ismodule(getattr(module, name))
    }
    assert runtime == set(filter(is_public, declared(STUBS[module])))


@each_module
def test_constants(module: ModuleType) -> None:
    for name, node in declared(STUBS[module]).items():
        if is_public(name) and isinstance(node, ast.AnnAssign) and node.value:
            value = getattr(module, name)
            assert (name, type(value), value) == (name, int, ast.literal_eval(node.value))


@each_module
def test_functions(module: ModuleType) -> None:
    for name, node in declared(STUBS[module]).items():
        if isinstance(node, FUNCTIONS):
            assert runtime_parameters(getattr(module, name)) == parameters(node.args), name


def inherited(kind: type) -> set[str]:
    """What a class has from bases outside the package, whose own stubs say it."""
    bases = [base for base in kind.__mro__ if not base.__module__.startswith("everloop")]
    return {name for base in bases for name in dir(base)}


@each_class
def test_members(kind: type, stub: dict[str, ast.stmt]) -> None:
    runtime = {name for name in dir(kind) if is_public(name) or name in STATEMENTS}
    elsewhere = inherited(kind)
    assert runtime - elsewhere == set(stub) - {"__init__"} - elsewhere


@each_class
def test_methods(kind: type, stub: dict[str, ast.stmt]) -> None:
    for name, item in stub.items():
        if not isinstance(item, FUNCTIONS) or is_property(item) or name in {"__exit__", *SLOTS}:
            continue
        found = runtime_parameters(kind if name == "__init__" else getattr(kind, name))
        assert found == parameters(item.args), name


@each_class
def test_documentation(kind: type, stub: dict[str, ast.stmt]) -> None:
    """The line with the signature is none of the text."""
    text = inspect.getdoc(kind)
    assert text and "--" not in text.splitlines()[:3]
    assert not text.startswith(kind.__name__ + "(")


@each_class
def test_attributes(kind: type, stub: dict[str, ast.stmt]) -> None:
    """What is a plain attribute in the stub can be set, what is a property can't."""
    loop_class = kind if issubclass(kind, everloop.Loop) else everloop.Loop
    with loop_class() as loop:
        thing = MAKERS[kind.__name__](loop)
        for name, item in stub.items():
            if is_property(item):
                assert not can_be_set(thing, name), name
            elif isinstance(item, ast.AnnAssign):
                assert can_be_set(thing, name) != isinstance(thing, tuple), name
