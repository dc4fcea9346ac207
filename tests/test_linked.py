"""The compiled modules, which are linked into one shared object for each face."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import pathlib
import pickle
import pkgutil
import subprocess
import sys
import textwrap

import pytest
from patience import patient

import everloop
import everloop.aio

PACKAGE = pathlib.Path(everloop.__file__).parent
FACES = {
    name: importlib.import_module(f"{name}._compiled") for name in ("everloop", "everloop.aio")
}
MODULES = sorted(name for face in FACES.values() for name in face.modules)


def test_each_face_is_one_shared_object():
    found = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.so")}
    assert found == {pathlib.Path(face.__file__).relative_to(PACKAGE) for face in FACES.values()}
    assert all(face in sys.meta_path for face in FACES.values())


def test_programs_that_use_watchers_alone_do_not_load_the_asyncio_face(run_program):
    run_program(
        """
        import everloop, sys
        everloop.Loop().start(everloop.EVRUN_NOWAIT)
        assert not any(name.startswith("everloop.aio") for name in sys.modules), sys.modules
        print("watchers alone")
        """,
        "watchers alone",
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_where_it_comes_from(name):
    module = importlib.import_module(name)
    shared_object = FACES["everloop.aio" if name.startswith("everloop.aio.") else "everloop"]
    spec = importlib.util.find_spec(name)
    assert sys.modules[name] is module
    assert module.__spec__ is spec
    assert module.__name__ == spec.name == name
    assert module.__package__ == spec.parent
    assert module.__file__ == spec.origin == shared_object.__file__ == inspect.getfile(module)
    assert module.__loader__ is spec.loader
    assert spec.loader is shared_object
    assert spec.has_location
    assert spec.cached is None
    if spec.loader.is_package(name):
        assert spec.parent == name
        assert module.__path__ == [str(PACKAGE.parent.joinpath(*name.split(".")))]
    else:
        assert spec.parent == name.rpartition(".")[0]
        assert not hasattr(module, "__path__")
    assert spec.loader.get_source(name) is spec.loader.get_code(name) is None
    assert module.__doc__


def test_a_module_that_is_reloaded_is_the_same():
    from everloop.watchers import io

    before = dict(vars(io))
    assert importlib.reload(io) is io
    assert vars(io) == before
    assert io.Io is everloop.Io


def test_a_module_that_is_forgotten_and_imported_again_is_the_same(run_program):
    run_program(
        """
        import everloop, importlib, sys
        io = sys.modules.pop("everloop.watchers.io")
        assert importlib.import_module("everloop.watchers.io") is io
        assert io.Io is everloop.Io
        print("the same")
        """,
        "the same",
    )


def test_any_module_can_be_the_first_that_is_imported(run_program):
    run_program(
        f"""
        import importlib, os
        for name in {MODULES}:
            child = os.fork()
            if not child:
                importlib.import_module(name)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0, name
        print("all")
        """,
        "all",
        hangs_after=60,
    )


def test_many_threads_may_be_the_first_that_need_the_asyncio_face(run_program):
    run_program(
        """
        def load(barrier):
            barrier.wait()
            ev.new_event_loop().close()
            done.append(1)

        sys.setswitchinterval(1e-6)
        for _ in range(5):
            child = os.fork()
            if not child:
                done, barrier = [], threading.Barrier(8)
                threads = [threading.Thread(target=load, args=(barrier,)) for _ in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                os._exit(len(done) != 8)
            assert os.waitpid(child, 0)[1] == 0
        print("all")
        """,
        "all",
        hangs_after=60,
    )


def test_a_module_that_could_not_be_executed_is_imported_again(run_program):
    run_program(
        """
        import asyncio
        sys.modules["threading"] = None
        try:
            ev.EventLoop
        except ImportError as error:
            assert "threading" in str(error), error
            print("not yet")
        sys.modules["threading"] = threading
        ev.new_event_loop().close()
        print("now")
        """,
        "not yet now",
    )


def test_the_package_is_imported_again_after_a_module_could_not_be_executed():
    program = """
        import sys
        sys.modules["math"] = None
        try:
            import everloop
        except ImportError as error:
            assert "math" in str(error), error
        left = [name for name in sys.modules if name.startswith("everloop.watchers.stat")]
        assert not left, left
        del sys.modules["math"]
        import everloop
        from everloop.watchers import stat
        assert everloop.Stat is stat.Stat is sys.modules["everloop.watchers.stat"].Stat
        everloop.Loop().close()
        print("again")
        """
    # Not by run_program, for whose programs everloop is imported already.
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert (said.stdout, said.stderr) == ("again\n", "")


def test_what_a_linked_package_has_in_plain_python_is_found():
    found = {each.name for each in pkgutil.walk_packages(everloop.__path__, "everloop.")}
    assert found >= {
        "everloop.watchers.inodes.changes",
        "everloop.aio.mixins.serving",
        "everloop.aio.event_loop",
    }
    changes = importlib.import_module("everloop.watchers.inodes.changes")
    assert pathlib.Path(changes.__file__).parent == PACKAGE / "watchers" / "inodes"


def test_classes_and_functions_are_pickled_by_their_names():
    for thing in (everloop.Io, everloop.Loop, everloop.sleep, everloop.Error):
        assert pickle.loads(pickle.dumps(thing)) is thing


def test_a_shared_object_makes_no_module_of_another_name():
    spec = importlib.machinery.ModuleSpec("everloop.nowhere", None)
    for face in FACES.values():
        with pytest.raises(ImportError, match=r"'everloop\.nowhere' is not linked into"):
            face.create_module(spec)
        with pytest.raises(AttributeError):
            face.create_module(None)
        for strange in ("everloop.loop\0", "\udc80", "", None):
            assert face.find_spec(strange) is face.find_spec(fullname=strange, path=None) is None
            assert not face.is_package(strange)
    assert importlib.util.find_spec("everloop.nowhere") is None
    with pytest.raises(ModuleNotFoundError, match=r"everloop\.nowhere"):
        importlib.import_module("everloop.nowhere")
