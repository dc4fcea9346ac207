"""Why the compiled modules can't be used: what an import of everloop that fails says."""

import importlib.machinery
import re
import sys
from pathlib import Path

# Of the name of a shared object: what it was built for.
TAG = re.compile(r"cpython-(\d)(\d+)(t?)(d?)-(.+)")


def explained(error, package):
    """The ImportError to raise in place of one that says what Python knows of it.

    package: the ``__file__`` of the package that loads its shared object.
    """
    return ImportError(reason(error, Path(package).parent), name=error.name, path=error.path)


def reason(error, folder):
    if is_about_interpreters(error):
        return (
            "everloop can be used in one interpreter of a process only, and in no "
            f"sub-interpreter beside it ({error})"
        )
    if sys.platform != "linux":
        return f"everloop works on Linux only, and this is {sys.platform}"
    found = sorted(folder.glob("_compiled*.so"))
    if not found:
        return (
            f"everloop has not been compiled: there is no shared object _compiled in {folder}. "
            "Install it anew, or in its source tree run 'pip install .'"
        )
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    usable = [path for path in found if path.name.removeprefix("_compiled") in suffixes]
    if not usable:
        builds = " and ".join(built_for(path.name) for path in found)
        return (
            f"everloop in {folder} was compiled for {builds}, and this is "
            f"{built_for(suffixes[0])}: install it with this Python, by "
            f"'{sys.executable} -m pip install'"
        )
    return f"everloop's shared object {usable[0]} can't be loaded: {error}"


def is_about_interpreters(error):
    """Python's own refusal, or that of a module that Cython made."""
    return "subinterpreter" in str(error) or "Interpreter change" in str(error)


def built_for(name):
    """The Python that the name of a shared object, or its suffix, tells of."""
    tag = name.removeprefix("_compiled").removeprefix(".").removesuffix(".so")
    known = TAG.fullmatch(tag)
    if not known:
        return tag or "an unknown Python"
    major, minor, threaded, debug, machine = known.groups()
    kind = "free-threaded CPython" if threaded else "CPython"
    return f"{kind} {major}.{minor}{', debug' if debug else ''} ({machine})"
