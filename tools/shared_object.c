/* The module that Python finds in a shared object of many modules: it finds the others.

   It is a finder of sys.meta_path and their loader. shared_objects.py writes what goes before
   this text: NAME, PACKAGE, which it is in, INIT, IMPORT, IMPORT_LEVEL, the functions that
   return the modules' definitions, and MODULES: for each, sorted by name,
   {name, definition, directory of a package below that of the shared object, or NULL}.

   What the modules import of each other while the package is imported goes a short way, as
   there are many: load() does what importlib does, without its locks. The package's own lock
   keeps other threads out as long as that lasts. */

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

static int
execute(struct linked *found, PyObject *module)
{
    /* In this order: whoever sees the module sees that it is not complete yet. */
    __atomic_store_n(&found->thread, PyThread_get_thread_ident(), __ATOMIC_RELEASE);
    PyObject *before = __atomic_exchange_n(&found->module, Py_NewRef(module), __ATOMIC_ACQ_REL);
    int failed = PyModule_ExecDef(module, PyModule_GetDef(module));
    /* One that failed is not freed: another thread may be about to take it. */
    if (failed)
        __atomic_store_n(&found->module, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&found->thread, 0, __ATOMIC_RELEASE);
    if (before == module)
        Py_DECREF(before);
    return failed;
}

static PyObject *
exec_module(PyObject *self, PyObject *module)
{
    struct linked *found = find_by_name_of(module, "__name__");
    if (found == NULL || execute(found, module))
        return NULL;
    Py_RETURN_NONE;
}

/* This module, the package, and the thread that imports it, or 0 once it is imported. */
static PyObject *shared_object, *package, *package_spec;
static unsigned long importer;

static int
is_importer(void)
{
    if (__atomic_load_n(&importer, __ATOMIC_ACQUIRE) != PyThread_get_thread_ident())
        return 0;
    PyObject *initializing = PyObject_GetAttrString(package_spec, "_initializing");
    int goes_on = initializing == Py_True;
    Py_XDECREF(initializing);
    PyErr_Clear();
    if (!goes_on)
        __atomic_store_n(&importer, 0, __ATOMIC_RELEASE);
    return goes_on;
}

static int
note_importer(PyObject *self)
{
    PyObject *name = PyUnicode_FromString(PACKAGE);
    PyObject *found = name == NULL ? NULL : PyImport_GetModule(name);
    Py_XDECREF(name);
    if (found == NULL)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *spec = PyObject_GetAttrString(found, "__spec__");
    if (spec == NULL) {
        Py_DECREF(found);
        return -1;
    }
    Py_XSETREF(package, found);
    Py_XSETREF(package_spec, spec);
    Py_XSETREF(shared_object, Py_NewRef(self));
    __atomic_store_n(&importer, PyThread_get_thread_ident(), __ATOMIC_RELEASE);
    return 0;
}

static PyObject *
make(const struct linked *found, PyObject *name, PyObject *spec, PyObject *modules)
{
    PyObject *module = PyModule_FromDefAndSpec((PyModuleDef *)found->definition(), spec);
    if (module != NULL && !PyObject_SetAttrString(module, "__spec__", spec) &&
            !PyObject_SetAttrString(spec, "_initializing", Py_True) &&
            !PyObject_SetItem(modules, name, module))
        return module;
    Py_XDECREF(module);
    return NULL;
}

static void
forget(PyObject *name, PyObject *modules)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyObject_DelItem(modules, name))
        PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

/* Import a module of which nothing is there yet but its parent. */
static PyObject *
load(struct linked *found, PyObject *name, PyObject *parent)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *spec = new_spec(shared_object, name, found);
    PyObject *module = spec == NULL ? NULL : make(found, name, spec, modules);
    if (module != NULL && execute(found, module)) {
        forget(name, modules);
        Py_CLEAR(module);
    }
    if (module != NULL && (PyObject_SetAttrString(spec, "_initializing", Py_False) ||
            PyObject_SetAttrString(parent, strrchr(found->name, '.') + 1, module)))
        Py_CLEAR(module);
    Py_XDECREF(spec);
    return module;
}

PyObject *IMPORT(const char *name);

static PyObject *
import_parent(const char *name, const char *end)
{
    if (strncmp(name, PACKAGE, end - name) == 0 && strlen(PACKAGE) == (size_t)(end - name))
        return Py_NewRef(package);
    PyObject *parent_name = PyUnicode_FromStringAndSize(name, end - name);
    PyObject *parent = parent_name == NULL ? NULL : IMPORT(PyUnicode_AsUTF8(parent_name));
    Py_XDECREF(parent_name);
    return parent;
}

static PyObject *
load_after_parent(struct linked *found)
{
    PyObject *parent = import_parent(found->name, strrchr(found->name, '.'));
    PyObject *name = parent == NULL ? NULL : PyUnicode_InternFromString(found->name);
    /* The parent may have imported it, and sys.modules may have another in its place. */
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    if (name != NULL && module == NULL && !PyErr_Occurred())
        module = load(found, name, parent);
    Py_XDECREF(name);
    Py_XDECREF(parent);
    return module;
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
    if (module != NULL && (thread == 0 || thread == PyThread_get_thread_ident()))
        return Py_NewRef(module);
    return module == NULL && is_importer() ? load_after_parent(found) : PyImport_ImportModule(name);
}

/* And in place of PyImport_ImportModuleLevelObject(). */
PyObject *
IMPORT_LEVEL(PyObject *name, PyObject *globals, PyObject *locals, PyObject *from_list, int level)
{
    struct linked *found = level == 0 && from_list != NULL ? find(name) : NULL;
    /* The names that are imported from a package may be modules. */
    if (found != NULL && found->directory == NULL && is_importer())
        return IMPORT(found->name);
    return PyImport_ImportModuleLevelObject(name, globals, locals, from_list, level);
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
    {Py_mod_exec, note_importer},
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
