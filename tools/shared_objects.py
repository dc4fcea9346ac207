"""Links many modules that Cython compiled into one shared object.

Python finds one module in a shared object: the one whose name the file has, by its function
PyInit_NAME. Here that is a small one, written below, which makes the others on demand:
everloop/linked.py has them imported from there.

Each module is an object file of its own, compiled again only if its C source is newer, or what
the shared object depends on as a whole.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

JOBS = len(os.sched_getaffinity(0))
IMPORT = "import_linked"

MAIN = r"""
#include <Python.h>
#include <string.h>

%(declarations)s

static struct module {
    const char *name;
    PyObject *(*definition)(void);
    int is_package;
    PyObject *module;               /* once it is made */
    unsigned long thread;           /* which executes it, or 0 */
} linked[] = {
%(entries)s
};

#define COUNT (sizeof linked / sizeof *linked)

static int
compare(const void *name, const void *module)
{
    return strcmp(name, ((const struct module *)module)->name);
}

static struct module *
find(const char *name)
{
    return bsearch(name, linked, COUNT, sizeof *linked, compare);
}

/* What the modules have in place of PyImport_ImportModule(), which is slow where they need each
   other: for one that is not complete yet it waits, in Python, until it knows that waiting would
   be no use. */
PyObject *
%(import)s(const char *name)
{
    struct module *found = find(name);
    if (found == NULL || found->module == NULL ||
            (found->thread != 0 && found->thread != PyThread_get_thread_ident()))
        return PyImport_ImportModule(name);
    return Py_NewRef(found->module);
}

static struct module *
find_by_name_of(PyObject *object, const char *attribute)
{
    PyObject *name = PyObject_GetAttrString(object, attribute);
    if (name == NULL)
        return NULL;
    const char *text = PyUnicode_AsUTF8(name);
    struct module *found = text == NULL ? NULL : find(text);
    if (found == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_ImportError, "%%R is not linked into this shared object", name);
    Py_DECREF(name);
    return found;
}

static PyObject *
create(PyObject *self, PyObject *spec)
{
    struct module *found = find_by_name_of(spec, "name");
    PyObject *definition = found == NULL ? NULL : found->definition();
    return definition == NULL ? NULL : PyModule_FromDefAndSpec((PyModuleDef *)definition, spec);
}

static PyObject *
execute(PyObject *self, PyObject *module)
{
    struct module *found = find_by_name_of(module, "__name__");
    if (found == NULL)
        return NULL;
    found->thread = PyThread_get_thread_ident();
    Py_XSETREF(found->module, Py_NewRef(module));
    int failed = PyModule_ExecDef(module, PyModule_GetDef(module));
    found->thread = 0;
    if (failed) {
        Py_CLEAR(found->module);
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
list_modules(PyObject *self)
{
    PyObject *names = PyDict_New();
    if (names == NULL || PyModule_AddObjectRef(self, "modules", names)) {
        Py_XDECREF(names);
        return -1;
    }
    Py_DECREF(names);
    for (size_t i = 0; i < COUNT; i++)
        if (PyDict_SetItemString(names, linked[i].name, linked[i].is_package ? Py_True : Py_False))
            return -1;
    return 0;
}

static PyMethodDef methods[] = {
    {"create", create, METH_O, "Make the module that spec names, not executed yet."},
    {"execute", execute, METH_O, "Execute a module that was made by create()."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, list_modules},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "%(name)s",
    .m_doc = "What is linked into this shared object: modules tells which of them are packages.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_%(stem)s(void)
{
    return PyModuleDef_Init(&definition);
}
"""


class SharedObject(Extension):
    """An extension module ``name``, with all of ``modules`` linked into it.

    ``modules`` are the extensions that cythonize() returns; ``directory`` is where the source
    of the one that makes the others is written.
    """

    def __init__(self, name, modules, directory, **options):
        self.main = str(Path(directory, *name.split(".")).with_suffix(".c"))
        # What each source has to be compiled with.
        self.macros = {self.main: []}
        entries = []
        for module in sorted(modules, key=lambda module: module.name):
            (source,) = module.sources
            definition = "PyInit_" + module.name.replace(".", "__")
            self.macros[source] = [
                # Two modules in different packages may have one name.
                (f"PyInit_{module.name.rpartition('.')[2]}", definition),
                ("CYTHON_NO_PYINIT_EXPORT", None),
                ("PyImport_ImportModule", IMPORT),
            ]
            entries.append((module.name, definition, int(Path(source).stem == "__init__")))
        write_if_changed(Path(self.main), main_source(name, entries))
        super().__init__(name, list(self.macros), **options)


class BuildSharedObjects(build_ext):
    """Compiles the sources that are newer than their objects, on all processors, and links."""

    def build_extension(self, extension):
        with ThreadPoolExecutor(self.parallel or JOBS) as threads:
            objects = threads.map(lambda source: self.compile(extension, source), extension.sources)
            extension.extra_objects = list(objects)
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
                extra_postargs=extension.extra_compile_args,
            )
        return path


def main_source(name, entries):
    return MAIN % {
        "name": name,
        "import": IMPORT,
        "stem": name.rpartition(".")[2],
        "declarations": "\n".join(f"PyObject *{definition}(void);" for _, definition, _ in entries),
        "entries": "\n".join(
            f'    {{"{module}", {definition}, {is_package}, NULL, 0}},'
            for module, definition, is_package in entries
        ),
    }


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
