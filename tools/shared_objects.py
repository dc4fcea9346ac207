"""Links many modules that Cython compiled into one shared object.

Python finds one module in a shared object: the one whose name the file has, by its function
PyInit_NAME. Here that is a small one, shared_object.c, which finds the others.

Each module is an object file of its own, compiled again only if its C source is newer, or what
the shared object depends on as a whole. For wheels the compiler sees all modules at once when it
links: the shared object is smaller by a sixth, but each change would make it start over.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError
from setuptools.modified import newer_group

JOBS = len(os.sched_getaffinity(0))
SANITIZED = "-fsanitize" in os.environ.get("CFLAGS", "")
HERE = Path(__file__).parent
IMPORT = "import_linked"
IMPORT_LEVEL = "import_linked_level"

MAIN = """\
#include <Python.h>
#include <string.h>
{declarations}
#define NAME "{name}"
#define PACKAGE "{package}"
#define INIT PyInit_{stem}
#define IMPORT {IMPORT}
#define IMPORT_LEVEL {IMPORT_LEVEL}
#define MODULES \\
{entries}
#include "shared_object.c"
"""


class SharedObject(Extension):
    """An extension module ``name``, with all of ``modules`` linked into it.

    ``modules`` are the extensions that cythonize() returns; ``directory`` is where the source
    of the one that makes the others is written; ``optimization`` gives the compiler's flag for
    the name of a module.
    """

    def __init__(self, name, modules, directory, depends, optimization, **options):
        self.modules = {module.name for module in modules}
        self.main = str(Path(directory, *name.split(".")).with_suffix(".c"))
        self.optimization = {self.main: "-O2"}
        # What each source has to be compiled with.
        self.macros = {self.main: []}
        entries = []
        for module in sorted(modules, key=lambda module: module.name):
            (source,) = module.sources
            definition = "PyInit_" + module.name.replace(".", "__")
            self.optimization[source] = optimization(module.name)
            self.macros[source] = [
                # Two modules in different packages may have one name.
                (f"PyInit_{module.name.rpartition('.')[2]}", definition),
                ("CYTHON_NO_PYINIT_EXPORT", None),
                ("PyImport_ImportModule", IMPORT),
                ("PyImport_ImportModuleLevelObject", IMPORT_LEVEL),
            ]
            is_package = Path(source).stem == "__init__"
            place = module.name.removeprefix(name.rpartition(".")[0]).replace(".", "/")
            entries.append((module.name, definition, f'"{place}"' if is_package else "NULL"))
        write_if_changed(Path(self.main), main_source(name, entries))
        super().__init__(
            name, list(self.macros), include_dirs=[str(HERE)], depends=depends, **options
        )


class BuildSharedObjects(build_ext):
    """Compiles the sources that are newer than their objects, on all processors, and links."""

    def run(self):
        # Asked here, as build_ext.run() forgets it until the end.
        self.in_sources = self.inplace or self.editable_mode
        super().run()

    def build_extensions(self):
        self.at_once, self.link_args = [], []
        if not (self.in_sources or SANITIZED):
            # The names of C functions are for those who profile what they work on.
            self.link_args = ["-Wl,--strip-all"]
            self.at_once = [flag for flag in ["-flto=auto"] if self.understood(flag)]
        super().build_extensions()

    def understood(self, flag):
        """Whether the compiler and the linker do what flag says."""
        source = Path(self.build_temp, "probe.c")
        write_if_changed(source, "int probe(void);\nint probe(void) { return 0; }\n")
        try:
            objects = self.compiler.compile([str(source)], extra_postargs=[flag])
            self.compiler.link_shared_object(
                objects, str(source.with_suffix(".so")), extra_postargs=[flag]
            )
        except (CompileError, LinkError):
            return False
        return True

    def build_extension(self, extension):
        with ThreadPoolExecutor(self.parallel or JOBS) as threads:
            objects = threads.map(lambda source: self.compile(extension, source), extension.sources)
            extension.extra_objects = list(objects)
        extension.extra_link_args += self.link_args + self.at_once
        # There is nothing left to do but to link, if an object is newer.
        extension.sources, extension.depends = [], extension.extra_objects
        super().build_extension(extension)

    def compile(self, extension, source):
        """Return the path of the object."""
        (path,) = self.compiler.object_filenames([source], output_dir=self.build_temp)
        if self.force or newer_group([source, *extension.depends], path):
            self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                macros=extension.macros[source],
                include_dirs=extension.include_dirs,
                extra_postargs=[
                    *extension.extra_compile_args,
                    extension.optimization[source],
                    *self.at_once,
                ],
            )
        return path


def main_source(name, entries):
    return MAIN.format(
        IMPORT=IMPORT,
        IMPORT_LEVEL=IMPORT_LEVEL,
        name=name,
        package=name.rpartition(".")[0],
        stem=name.rpartition(".")[2],
        declarations="\n".join(f"PyObject *{definition}(void);" for _, definition, _ in entries),
        entries=" \\\n".join(
            f'    {{"{module}", {definition}, {directory}, NULL, 0}},'
            for module, definition, directory in entries
        ),
    )


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
