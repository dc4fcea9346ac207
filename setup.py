"""The compiled part of the build; everything else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, ExecError

SOURCE = Path("src")
PLAIN_PYTHON = {
    "__init__",
    "__main__",
    "breath",
    "connecting",
    "errors",
    "event_loop",
    "features",
    "pipes",
    "resolving",
    "selecting",
    "serving",
    "signal_handling",
    "stdlib",
    "subprocesses",
}
JOBS = len(os.sched_getaffinity(0))

DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,
    "binding": False,
    "boundscheck": False,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "clinic",
    "initializedcheck": False,
    "wraparound": False,
}


def compiled_modules():
    """An Extension for each module that is compiled: all but those of PLAIN_PYTHON."""
    for path in sorted(SOURCE.glob("everloop/**/*.py")):
        if path.stem not in PLAIN_PYTHON:
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            yield Extension(name, [str(path)], extra_compile_args=["-O3", "-g1"])


class ParallelBuild(build_ext):
    """Compiles on all processors, and says what to do if there is no compiler."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or JOBS

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


setup(
    ext_modules=cythonize(
        list(compiled_modules()),
        build_dir="build/cython",
        compiler_directives=DIRECTIVES,
        nthreads=JOBS,
    ),
    cmdclass={"build_ext": ParallelBuild},
)
