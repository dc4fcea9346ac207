"""The public names: __all__, dir() and what a star imports are the same."""

import ast
import inspect
import pathlib

import pytest

import everloop

ASYNCIO_FACE = {"EventLoop", "install", "new_event_loop", "run"}


def test_dir_agrees_with_all():
    public = [name for name in dir(everloop) if not name.startswith("_")]
    assert public == sorted(everloop.__all__)
    assert len(set(everloop.__all__)) == len(everloop.__all__)
    assert {"__all__", "__doc__", "__file__", "__version__"} <= set(dir(everloop))


@pytest.mark.parametrize("name", everloop.__all__)
def test_a_public_name_is_there_and_is_no_module(name):
    assert not inspect.ismodule(getattr(everloop, name))


def test_the_stub_has_the_same_names():
    stub = ast.parse(pathlib.Path(everloop.__file__).with_name("__init__.pyi").read_text())
    (listed,) = [
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "__all__"
    ]
    assert sorted(listed) == sorted(everloop.__all__)


def test_all_are_there_that_users_need():
    names = set(everloop.__all__)
    assert names >= ASYNCIO_FACE
    assert {"Clock", "Error", "Loop", "ManualClock", "Watcher", "fatal"} <= names
    assert {"EV_READ", "EVBACKEND_EPOLL", "EVBREAK_ALL", "EVFLAG_AUTO", "EVRUN_ONCE"} <= names


def test_watcher_is_the_base_of_all_kinds(loop):
    watcher = loop.timer(1.0, 0.0, lambda watcher, revents: None)
    assert isinstance(watcher, everloop.Watcher)
    assert issubclass(everloop.Io, everloop.Watcher)
    assert isinstance(loop.clock, everloop.Clock)
    assert issubclass(everloop.ManualClock, everloop.Clock)
    with pytest.raises(TypeError, match="base of Io, Timer"):
        everloop.Watcher(loop, lambda watcher, revents: None)


def test_a_star_imports_them_all_and_a_plain_import_leaves_asyncio_alone(run_program):
    run_program(
        """
        dir(ev)
        print("asyncio" in sys.modules)
        got = {}
        exec("from everloop import *", got)
        del got["__builtins__"]
        print(sorted(got) == sorted(ev.__all__), "asyncio" in sys.modules)
        print(got["run"] is ev.run, got["EventLoop"] is ev.EventLoop)
        """,
        "False True True True True",
    )
