/* The module that Python finds in a shared object of many modules: it finds the others.

   It is a finder of sys.meta_path and their loader. shared_objects.py writes what goes before
   this text: NAME, INIT, IMPORT, the functions that return the modules' definitions, and
   MODULES: for each, sorted by name,
   {name, definition, directory of a package below that of the shared object, or NULL}. */

static struct linked {
    const char *name;
    PyObject *(*definition)(void);
    const char *directory;
    PyObject *module;               /* once it is executed, or being executed */
    unsigned long thread;           /* which executes it, or 0 */
} linked[] = {MODULES};

#define COUNT (sizeof linked / sizeof *linked)

static int
compare(const void *name, const void *each)
{
    return strcmp(name, ((const struct linked *)each)->name);
}

static struct linked *
look_up(const char *name)
{
    return bsearch(name, linked, COUNT, sizeof *linked, compare);
}

/* What the modules have in place of PyImport_ImportModule(), which is slow where they need each
   other: for one that is not complete yet it waits, in Python, until it knows that waiting would
   be no use. */
PyObject *
IMPORT(const char *name)
{
    struct linked *found = look_up(name);
    if (found == NULL)
        return PyImport_ImportModule(name);
    PyObject *module = __atomic_load_n(&found->module, __ATOMIC_ACQUIRE);
    unsigned long thread = __atomic_load_n(&found->thread, __ATOMIC_ACQUIRE);
    if (module == NULL || (thread != 0 && thread != PyThread_get_thread_ident()))
        return PyImport_ImportModule(name);
    return Py_NewRef(module);
}

/* Return NULL, without an exception, if there is none: names may be any strings. */
static struct linked *
find(PyObject *name)
{
    Py_ssize_t size;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    if (text != NULL && strlen(text) == (size_t)size)
        return look_up(text);
    PyErr_Clear();
    return NULL;
}

static struct linked *
find_by_name_of(PyObject *object, const char *attribute)
{
    PyObject *name = PyObject_GetAttrString(object, attribute);
    if (name == NULL)
        return NULL;
    struct linked *found = find(name);
    if (found == NULL)
        PyErr_Format(PyExc_ImportError, "%R is not linked into this shared object", name);
    Py_DECREF(name);
    return found;
}

/* Return a list of the one directory in which further modules of a package are found. */
static PyObject *
search_locations(const struct linked *package, PyObject *file)
{
    const char *path = PyUnicode_AsUTF8(file);
    if (path == NULL)
        return NULL;
    const char *end = strrchr(path, '/');
    PyObject *directory = PyUnicode_DecodeFSDefaultAndSize(path, end == NULL ? 0 : end - path);
    if (directory == NULL)
        return NULL;
    PyObject *locations = Py_BuildValue("[N]",
        PyUnicode_FromFormat("%U%s", directory, package->directory));
    Py_DECREF(directory);
    return locations;
}

static PyObject *
new_spec(PyObject *self, PyObject *name, const struct linked *found)
{
    PyObject *spec = NULL, *locations = NULL;
    PyObject *file = PyModule_GetFilenameObject(self);
    PyObject *own_spec = PyObject_GetAttrString(self, "__spec__");
    if (file == NULL || own_spec == NULL)
        goto done;
    /* The class of the spec that importlib made of this module. */
    spec = PyObject_CallFunctionObjArgs((PyObject *)Py_TYPE(own_spec), name, self, NULL);
    if (spec == NULL)
        goto done;
    if (found->directory != NULL) {
        locations = search_locations(found, file);
        if (locations == NULL ||
                PyObject_SetAttrString(spec, "submodule_search_locations", locations))
            goto failed;
    }
    if (!PyObject_SetAttrString(spec, "origin", file) &&
            !PyObject_SetAttrString(spec, "has_location", Py_True))
        goto done;
failed:
    Py_CLEAR(spec);
done:
    Py_XDECREF(locations);
    Py_XDECREF(own_spec);
    Py_XDECREF(file);
    return spec;
}

static PyObject *
find_spec(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"fullname", "path", "target", NULL};
    PyObject *name, *path, *target;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|OO:find_spec", names,
                                     &name, &path, &target))
        return NULL;
    struct linked *found = find(name);
    if (found != NULL)
        return new_spec(self, name, found);
    Py_RETURN_NONE;
}

static PyObject *
create_module(PyObject *self, PyObject *spec)
{
    struct linked *found = find_by_name_of(spec, "name");
    PyObject *definition = found == NULL ? NULL : found->definition();
    return definition == NULL ? NULL : PyModule_FromDefAndSpec((PyModuleDef *)definition, spec);
}

static PyObject *
exec_module(PyObject *self, PyObject *module)
{
    struct linked *found = find_by_name_of(module, "__name__");
    if (found == NULL)
        return NULL;
    /* In this order: whoever sees the module sees that it is not complete yet. */
    __atomic_store_n(&found->thread, PyThread_get_thread_ident(), __ATOMIC_RELEASE);
    PyObject *before = __atomic_exchange_n(&found->module, Py_NewRef(module), __ATOMIC_ACQ_REL);
    int failed = PyModule_ExecDef(module, PyModule_GetDef(module));
    __atomic_store_n(&found->thread, 0, __ATOMIC_RELEASE);
    Py_XDECREF(before);
    if (failed) {
        Py_XDECREF(__atomic_exchange_n(&found->module, NULL, __ATOMIC_ACQ_REL));
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
is_package(PyObject *self, PyObject *name)
{
    struct linked *found = find(name);
    return PyBool_FromLong(found != NULL && found->directory != NULL);
}

static PyObject *
return_none(PyObject *self, PyObject *name)
{
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"find_spec", (PyCFunction)(void (*)(void))find_spec, METH_VARARGS | METH_KEYWORDS,
     "The spec of a module that is linked into this shared object, else None."},
    {"create_module", create_module, METH_O, "Make the module of a spec."},
    {"exec_module", exec_module, METH_O, "Execute a module that create_module() made."},
    {"is_package", is_package, METH_O, "Whether a module of that name is linked and a package."},
    {"get_code", return_none, METH_O, "None: what is linked has no code of Python's."},
    {"get_source", return_none, METH_O, "None: the source is not here."},
    {NULL, NULL, 0, NULL},
};

static int
list_modules(PyObject *self)
{
    PyObject *names = PyList_New(0);
    if (names == NULL || PyModule_AddObjectRef(self, "modules", names)) {
        Py_XDECREF(names);
        return -1;
    }
    Py_DECREF(names);
    for (size_t i = 0; i < COUNT; i++) {
        PyObject *name = PyUnicode_FromString(linked[i].name);
        if (name == NULL || PyList_Append(names, name)) {
            Py_XDECREF(name);
            return -1;
        }
        Py_DECREF(name);
    }
    return 0;
}

/* Before the finders of files, which would find the sources. */
static int
let_modules_be_found(PyObject *self)
{
    PyObject *finders = PySys_GetObject("meta_path");
    if (finders == NULL || !PyList_Check(finders)) {
        PyErr_SetString(PyExc_ImportError, "sys.meta_path is no list");
        return -1;
    }
    return PyList_Insert(finders, 0, self);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, list_modules},
    {Py_mod_exec, let_modules_be_found},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = NAME,
    .m_doc = "Finds the modules that are linked into this shared object: those of modules.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
INIT(void)
{
    return PyModuleDef_Init(&definition);
}
