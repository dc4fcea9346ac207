"""An import that can't work says why: which of several things is wrong, and what would help."""

import importlib.machinery
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from patience import patient

import everloop

PACKAGE = pathlib.Path(everloop.__file__).parent
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
FREE_THREADED = "t" in getattr(sys, "abiflags", "")
THIS = f"CPython {sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def package(tmp_path):
    """A copy of the package: its folder."""
    unneeded = shutil.ignore_patterns("*.pxd", "*.pyi", "*.c", "__pycache__")
    folder = pathlib.Path(shutil.copytree(PACKAGE, tmp_path / "everloop", ignore=unneeded))
    for path in folder.rglob("_compiled*.so"):
        # Sources may have been compiled in place for other Pythons, too.
        if path.name != f"_compiled{SUFFIX}":
            path.unlink()
    return folder


def complaint(package, program="import everloop"):
    """The last line of what a program writes that fails with the copy."""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=package.parent,
        env=os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert run.returncode == 1, run
    last = run.stderr.splitlines()[-1]
    assert "Error: " in last
    return last


def shared_object(folder):
    return folder / f"_compiled{SUFFIX}"


def test_a_missing_shared_object(package):
    shared_object(package).unlink()
    said = complaint(package)
    assert "has not been compiled" in said
    assert "pip install ." in said
    assert str(package) in said
    assert "interpreter" not in said


def test_a_missing_shared_object_of_the_asyncio_face(package):
    shared_object(package / "aio").unlink()
    said = complaint(package, "import everloop\neverloop.Loop().close()\neverloop.EventLoop")
    assert "has not been compiled" in said
    assert str(package / "aio") in said


@pytest.mark.parametrize(
    ("tag", "other"),
    [
        ("cpython-39-x86_64-linux-gnu", "CPython 3.9 (x86_64-linux-gnu)"),
        ("cpython-399-x86_64-linux-gnu", "CPython 3.99 (x86_64-linux-gnu)"),
        ("cpython-313td-sparc-linux-gnu", "free-threaded CPython 3.13, debug (sparc-linux-gnu)"),
        ("pypy39-pp73-x86_64-linux-gnu", "pypy39-pp73-x86_64-linux-gnu"),
    ],
)
def test_the_build_of_another_python(package, tag, other):
    shared_object(package).rename(package / f"_compiled.{tag}.so")
    said = complaint(package)
    assert f"compiled for {other}" in said
    assert THIS in said.partition("this is ")[2]
    assert "pip install" in said
    assert "interpreter" not in said


def test_the_builds_of_several_other_pythons(package):
    for version in ("39", "310"):
        shutil.copy(
            shared_object(package), package / f"_compiled.cpython-{version}-mips-linux-gnu.so"
        )
    shared_object(package).unlink()
    said = complaint(package)
    assert "CPython 3.10 (mips-linux-gnu) and CPython 3.9 (mips-linux-gnu)" in said


def test_a_broken_shared_object(package):
    """Cut off as by a full disk: the loader's own words are in the message."""
    shared_object(package).write_bytes(b"\x7fELF")
    said = complaint(package)
    assert "can't be loaded" in said
    assert "file too short" in said
    assert shared_object(package).name in said


def test_another_error_in_an_import_is_left_as_it_is(package):
    said = complaint(package, "import sys\nsys.modules['math'] = None\nimport everloop")
    assert said.startswith("ModuleNotFoundError: ") and "math" in said


def in_sub_interpreter(program, kind):
    """What a program prints in a sub-interpreter, whose GIL is its own if it is isolated."""
    path = [str(PACKAGE.parent), *sys.path]
    program = f"import sys\nsys.path[:] = {path!r}\n{program}"
    code = f"""
try:
    import _interpreters as interpreters
    id = interpreters.create({kind!r})
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    id = interpreters.create(isolated={kind == "isolated"})
    run = interpreters.run_string
import everloop
done = run(id, {program!r})
assert done is None, done
interpreters.destroy(id)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_sub_interpreters(kind):
    said = in_sub_interpreter(
        "try:\n    import everloop\nexcept ImportError as error:\n    print(error)", kind
    )
    assert "one interpreter of a process only" in said
    assert "sub-interpreter" in said
    assert "pip install" not in said


FIRST = """
try:
    import _interpreters as interpreters
    new = lambda: interpreters.create("legacy")
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    new = lambda: interpreters.create(isolated=False)
    run = interpreters.run_string
program = '''
import sys
sys.path[:] = PATH
try:
    import everloop
except ImportError as error:
    print(error)
else:
    everloop.Loop().close()
    everloop.EventLoop().close()
    print("works")
'''
first = new()
assert run(first, program) is None
exec(program)
interpreters.destroy(first)
exec(program)
assert run(new(), program) is None
"""


def test_a_sub_interpreter_that_is_first():
    """Has everloop to itself, if it can at all: nobody gets its objects, even after its end."""
    code = FIRST.replace("PATH", repr([str(PACKAGE.parent), *sys.path]))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert run.returncode == 0, run.stderr
    said = run.stdout.splitlines()
    assert len(said) == 4
    for number, line in enumerate(said):
        if FREE_THREADED:
            # No interpreter but the main one may, and that one always.
            assert (line == "works") == (number in {1, 2})
        else:
            assert (line == "works") == (number == 0)
        assert line == "works" or "one interpreter of a process only" in line
