# The parts of CPython's C interface that Cython does not declare, or declares
# at a higher cost.
from cpython.object cimport PyObject

cdef extern from "Python.h":
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    void PyErr_WriteUnraisable(PyObject* obj)
    void PyErr_SetObject(PyObject* type, PyObject* value)
    PyObject* PyErr_Occurred()
    int PyErr_CheckSignals() except -1
    void PyErr_Clear()
    void PyErr_SetInterrupt()
    int PyObject_AsFileDescriptor(object file) except -1
    int PyObject_GenericSetAttr(PyObject* obj, PyObject* name, PyObject* value) except -1
    unsigned long PyThread_get_thread_ident()
    int Py_EnterRecursiveCall(const char* where) except -1
    void Py_LeaveRecursiveCall()
    void Py_INCREF(PyObject* obj)
    void Py_DECREF(PyObject* obj)

    bytes PyUnicode_EncodeFSDefault(object text)
    object PyUnicode_DecodeFSDefaultAndSize(const char* name, Py_ssize_t size)
    bint PyIndex_Check(object obj)
    long PyLong_AsLongAndOverflow(object obj, int* overflow) except? -1
    bint PyFunction_Check(object obj)
    bint PyCFunction_Check(object obj)
    PyObject* PyFunction_GET_CODE(object function)
    bint PyMethod_Check(object obj)
    PyObject* PyMethod_GET_FUNCTION(object method)
    int CO_GENERATOR
    int CO_COROUTINE
    int CO_ASYNC_GENERATOR

    ctypedef struct PyCodeObject:
        int co_flags

cdef extern from *:
    """
    /* The memory of a list that nobody else changes: what is put in and taken out there,
       references included, is up to whoever does so. */
    #define everloop_list_items(list) (((PyListObject *)(list))->ob_item)
    #define everloop_list_length(list) Py_SIZE(list)
    #define everloop_set_list_length(list, length) Py_SET_SIZE((PyVarObject *)(list), length)
    """
    PyObject** list_items "everloop_list_items"(PyObject* list) noexcept
    Py_ssize_t list_length "everloop_list_length"(PyObject* list) noexcept
    void set_list_length "everloop_set_list_length"(PyObject* list, Py_ssize_t length) noexcept

cdef extern from *:
    """
    /* PyObject_Vectorcall() without what it checks for the debugging of C code. */
    static inline PyObject *everloop_call_vector(
        PyObject *callable, PyObject *const *args, size_t nargsf)
    {
        vectorcallfunc function = PyVectorcall_Function(callable);
        if (function == NULL)
            return PyObject_Vectorcall(callable, args, nargsf, NULL);
        return function(callable, args, nargsf, NULL);
    }
    """
    PyObject* call_vector "everloop_call_vector"(
        PyObject* callable, PyObject** args, size_t nargsf
    )

cdef extern from *:
    """
    /* A new object of a class that the garbage collector looks at: only its head is made. What
       is to be cleared and filled in, and tracked in the end, PyType_GenericAlloc() would clear
       and track at once, for sizes that it has to find out. */
    #define everloop_allocate(type) ((PyObject *)PyObject_GC_New(PyObject, (PyTypeObject *)(type)))

    /* Clears all but the head of what a variable of a compiled class points to, as much of it
       as that class has. */
    #define everloop_clear_memory(object) \\
        memset((PyObject *)(object) + 1, 0, sizeof(*(object)) - sizeof(PyObject))

    /* Objects of a class that adds no references to its base's are looked at by the garbage
       collector, and end, as those of that do; not by a chain of functions. */
    static inline void everloop_live_as(PyObject *type, PyObject *base)
    {
        ((PyTypeObject *)type)->tp_traverse = ((PyTypeObject *)base)->tp_traverse;
        ((PyTypeObject *)type)->tp_clear = ((PyTypeObject *)base)->tp_clear;
        ((PyTypeObject *)type)->tp_dealloc = ((PyTypeObject *)base)->tp_dealloc;
    }
    """
    object allocate "everloop_allocate"(object type)
    void track "PyObject_GC_Track"(object made)
    void live_as "everloop_live_as"(object type, object base)

cdef extern from *:
    """
    /* Put a method into a compiled class under a name that Python can't spell. */
    static inline int everloop_alias_method(PyObject *type, PyObject *name, PyObject *method)
    {
        if (PyDict_SetItem(((PyTypeObject *)type)->tp_dict, name, method) < 0)
            return -1;
        PyType_Modified((PyTypeObject *)type);
        return 0;
    }

    /* Give a class methods of its own in the place of those that it inherits from base:
       CPython calls those fast only that belong to the very type of the object. */
    static inline int everloop_own_methods(PyObject *type, PyObject *base)
    {
        PyMethodDef *method = ((PyTypeObject *)base)->tp_methods;
        for (; method != NULL && method->ml_name != NULL; method++) {
            PyObject *own = PyDescr_NewMethod((PyTypeObject *)type, method);
            if (own == NULL)
                return -1;
            int failed = PyDict_SetItemString(
                ((PyTypeObject *)type)->tp_dict, method->ml_name, own);
            Py_DECREF(own);
            if (failed)
                return -1;
        }
        PyType_Modified((PyTypeObject *)type);
        return 0;
    }
    """
    int own_methods "everloop_own_methods"(object type, object base) except -1

cdef extern from *:
    """
    /* How CPython calls a compiled method that takes keywords. */
    typedef PyObject *(*everloop_method)(PyObject *, PyObject **, Py_ssize_t, PyObject *);

    /* Have front called in the place of a method of a compiled class; returns what was called
       so far, for what front leaves to it. */
    static inline everloop_method everloop_put_in_front(
        PyObject *type, const char *name, everloop_method front)
    {
        PyMethodDef *method = ((PyTypeObject *)type)->tp_methods;
        everloop_method behind;
        while (method->ml_name != NULL && strcmp(method->ml_name, name) != 0)
            method++;
        if (method->ml_name == NULL || method->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) {
            PyErr_Format(PyExc_SystemError, "%s() can't have a function in front of it", name);
            return NULL;
        }
        behind = (everloop_method)(void (*)(void))method->ml_meth;
        method->ml_meth = (PyCFunction)(void (*)(void))front;
        return behind;
    }
    """
    ctypedef object (*Method "everloop_method")(object, PyObject**, Py_ssize_t, PyObject*)
    Method put_in_front "everloop_put_in_front"(object type, const char* name, Method front) except NULL
    int alias_method "everloop_alias_method"(object type, object name, object method) except -1

cdef extern from *:
    """
    /* How deep calls into loops are nested in this thread: each takes some of its C
       stack, whatever Python's own limit is. */
    static __thread int everloop_nesting;

    static inline int everloop_nest(void)
    {
        if (everloop_nesting >= 200)
            return -1;
        everloop_nesting++;
        return 0;
    }
    static inline void everloop_unnest(void) { everloop_nesting--; }
    """
    int nest_in_thread "everloop_nest"() noexcept
    void unnest_in_thread "everloop_unnest"() noexcept

cdef extern from "Python.h":
    object PyContext_CopyCurrent()
    bint PyContext_CheckExact(object context)
    int PyContext_Enter(object context) noexcept
    int PyContext_Exit(object context) noexcept
    void PyObject_GC_UnTrack(PyObject* object)
    void PyObject_GC_Track(PyObject* object)
    bint PyObject_GC_IsTracked(object object)
    PyObject* PyObject_Call(PyObject* callable, PyObject* args, PyObject* kwargs) noexcept

cdef extern from *:
    """
    /* object.method(one), or object.method(one, two) if two is not NULL */
    static inline PyObject *everloop_call_method(
        PyObject *object, PyObject *name, PyObject *one, PyObject *two)
    {
        PyObject *arguments[4] = {NULL, object, one, two};
        return PyObject_VectorcallMethod(
            name, arguments + 1, (two ? 3 : 2) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    """
    PyObject* call_method "everloop_call_method"(
        PyObject* object, PyObject* name, PyObject* one, PyObject* two
    ) noexcept

cdef extern from *:
    """
    /* Give a bytes object that nobody else has seen, or has any more, another size
       within the memory that it has: as _PyBytes_Resize() does, but the memory stays. */
    static inline void everloop_set_bytes_size(PyObject *bytes, Py_ssize_t size)
    {
        Py_SET_SIZE((PyVarObject *)bytes, size);
        PyBytes_AS_STRING(bytes)[size] = 0;
    _Py_COMP_DIAG_PUSH
    _Py_COMP_DIAG_IGNORE_DEPR_DECLS
        ((PyBytesObject *)bytes)->ob_shash = -1;
    _Py_COMP_DIAG_POP
    }
    """
    void set_bytes_size "everloop_set_bytes_size"(PyObject* bytes, Py_ssize_t size) noexcept

cdef extern from *:
    """
    /* A number that is another, or 0, once an attribute of a class has been replaced. */
    static inline unsigned int everloop_class_version(PyObject *type)
    {
        return __atomic_load_n(&((PyTypeObject *)type)->tp_version_tag, __ATOMIC_RELAXED);
    }
    """
    unsigned int class_version "everloop_class_version"(object type) noexcept
