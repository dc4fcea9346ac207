"""The compiled part of the build; everything else is in pyproject.toml."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, CompileError, ExecError

sys.path.insert(0, str(Path(__file__).parent / "tools"))
from shared_objects import JOBS, SANITIZED, BuildSharedObjects, SharedObject

SOURCE = Path("src")
C_SOURCES = "build/cython"
FACES = ("everloop", "everloop.aio")
PLAIN_PYTHON = {
    "__main__",
    "awaiting",
    "changes",
    "connecting",
    "event_loop",
    "features",
    "pipes",
    "plain_transport",
    "pytest_plugin",
    "resolving",
    "selecting",
    "serving",
    "signal_handling",
    "statistics",
    "stdlib",
    "subprocesses",
    "testing",
    "unusable",
}

# Where each instruction counts; elsewhere the size does.
HOT = {"aio", "backends", "engine", "factories", "phases", "queues", "watcher"}

# The reports of sanitizers name functions and lines.
DEBUG_INFORMATION = "-g" if SANITIZED else "-g0"

DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,
    "binding": False,
    "boundscheck": False,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "clinic",
    "freethreading_compatible": True,
    "initializedcheck": False,
    "wraparound": False,
}


def modules():
    """An Extension for each module that is compiled: all but those of PLAIN_PYTHON.

    Nor are those of monitoring/, or the packages that load the shared objects.
    """
    for path in sorted(SOURCE.glob("everloop/**/*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if "monitoring" in path.parts or path.stem in PLAIN_PYTHON or name in FACES:
            continue
        yield Extension(name, [str(path)])


def optimization(name):
    return "-O3" if name.split(".")[1] in HOT else "-O2"


def shared_objects():
    """One for each face: programs that use watchers alone need not load that of asyncio's."""
    members = {face: [] for face in FACES}
    for module in cythonize(
        list(modules()), build_dir=C_SOURCES, compiler_directives=DIRECTIVES, nthreads=JOBS
    ):
        face = max((each for each in FACES if module.name.startswith(f"{each}.")), key=len)
        members[face].append(module)
    for face in FACES:
        yield SharedObject(
            f"{face}._compiled",
            members[face],
            C_SOURCES,
            depends=["setup.py", "tools/shared_object.c", "tools/shared_objects.py"],
            optimization=optimization,
            extra_compile_args=[DEBUG_INFORMATION, "-fvisibility=hidden"],
        )


class Build(BuildSharedObjects):
    """Says what to do if there is no compiler."""

    def build_extensions(self):
        try:
            super().build_extensions()
        except (CCompilerError, CompileError, ExecError) as error:
            raise SystemExit(
                f"everloop could not be compiled: {error}\n"
                "It needs a C compiler and the headers of Python: on Debian or Ubuntu "
                "'apt-get install gcc python3-dev', on Fedora 'dnf install gcc python3-devel', "
                "on Alpine 'apk add gcc musl-dev linux-headers python3-dev'."
            ) from error


class BuildPython(build_py):
    """Leaves out what is compiled: nothing reads it, and its byte code is larger than itself.

    The three lines of each package stay, by which tools find what lies beside it in plain Python.
    """

    def build_module(self, module, module_file, package):
        if module == "__init__" or f"{package}.{module}" not in self.compiled:
            super().build_module(module, module_file, package)


EXTENSIONS = list(shared_objects())
BuildPython.compiled = {name for each in EXTENSIONS for name in each.modules}
setup(ext_modules=EXTENSIONS, cmdclass={"build_ext": Build, "build_py": BuildPython})
