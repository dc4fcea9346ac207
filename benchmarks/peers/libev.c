/* A hand-written binding of libev, as tight as a sane one gets: the strongest peer.
 *
 * Each watcher is one Python object with its libev struct inside. Factories take their arguments by
 * vectorcall (METH_FASTCALL), start/stop/reset/send are METH_NOARGS, callbacks are called with
 * (watcher, revents) by vectorcall, and the GIL is released around the wait alone. As in the known
 * bindings, the program keeps its watchers alive: a watcher that is dropped is stopped.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <ev.h>

typedef struct {
    PyObject_HEAD
    struct ev_loop *ev;
    PyThreadState *thread; /* the state put aside while the GIL is released */
} Loop;

/* What every watcher begins with; its libev struct follows. */
#define WATCHER_HEAD \
    PyObject_HEAD \
    Loop *loop; \
    PyObject *callback; \
    PyObject *data;

typedef struct { WATCHER_HEAD ev_watcher ev; } Watcher;
typedef struct { WATCHER_HEAD ev_io ev; } Io;
typedef struct { WATCHER_HEAD ev_timer ev; } Timer;
typedef struct { WATCHER_HEAD ev_periodic ev; } Periodic;
typedef struct { WATCHER_HEAD ev_signal ev; } Signal;
typedef struct { WATCHER_HEAD ev_child ev; } Child;
typedef struct { WATCHER_HEAD ev_async ev; } Async;
typedef struct { WATCHER_HEAD ev_stat ev; PyObject *path; } Stat;

/* ---- the bridge from libev to Python ---- */

static void release_gil(struct ev_loop *ev) EV_NOEXCEPT
{
    ((Loop *)ev_userdata(ev))->thread = PyEval_SaveThread();
}

static void acquire_gil(struct ev_loop *ev) EV_NOEXCEPT
{
    PyEval_RestoreThread(((Loop *)ev_userdata(ev))->thread);
}

static void on_event(struct ev_loop *ev, ev_watcher *w, int revents)
{
    Watcher *self = w->data;
    PyObject *callback = self->callback;
    PyObject *arguments[3] = {NULL, (PyObject *)self, PyLong_FromLong(revents)};
    PyObject *result;

    Py_INCREF(self);
    Py_INCREF(callback);
    result = PyObject_Vectorcall(callback, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (result)
        Py_DECREF(result);
    else if (PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_WriteUnraisable(callback);
    else
        ev_break(ev, EVBREAK_ALL); /* KeyboardInterrupt and the like: Loop.start raises it */
    Py_DECREF(arguments[2]);
    Py_DECREF(callback);
    Py_DECREF(self);
}

/* ---- watchers ---- */

static int watcher_traverse(Watcher *self, visitproc visit, void *arg)
{
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->data);
    return 0;
}

static int watcher_clear(Watcher *self)
{
    Py_CLEAR(self->callback);
    Py_CLEAR(self->data);
    return 0;
}

static void watcher_free(Watcher *self)
{
    watcher_clear(self);
    Py_XDECREF(self->loop);
    PyObject_GC_Del(self);
}

/* A new watcher of `type`, with everything but its libev struct filled in. */
static void *watcher_new(PyTypeObject *type, Loop *loop, PyObject *callback)
{
    Watcher *self = PyObject_GC_New(Watcher, type);
    if (!self)
        return NULL;
    self->loop = (Loop *)Py_NewRef(loop);
    self->callback = Py_NewRef(callback);
    self->data = NULL;
    ev_init(&self->ev, on_event);
    self->ev.data = self;
    return self;
}

static int check_count(Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "%zd arguments expected, %zd given", wanted, given);
    return 0;
}

/* start(), stop(), the end and the type of one kind of watcher. */
#define WATCHER(Kind, kind, ...) \
    static PyObject *kind##_start(Kind *self, PyObject *Py_UNUSED(none)) \
    { \
        ev_##kind##_start(self->loop->ev, &self->ev); \
        Py_RETURN_NONE; \
    } \
    static PyObject *kind##_stop(Kind *self, PyObject *Py_UNUSED(none)) \
    { \
        ev_##kind##_stop(self->loop->ev, &self->ev); \
        Py_RETURN_NONE; \
    } \
    static void kind##_dealloc(Kind *self) \
    { \
        PyObject_GC_UnTrack(self); \
        ev_##kind##_stop(self->loop->ev, &self->ev); \
        kind##_release(self); \
        watcher_free((Watcher *)self); \
    } \
    static PyMethodDef kind##_methods[] = { \
        {"start", (PyCFunction)kind##_start, METH_NOARGS, NULL}, \
        {"stop", (PyCFunction)kind##_stop, METH_NOARGS, NULL}, \
        __VA_ARGS__ \
        {NULL}}; \
    static PyTypeObject Kind##Type = { \
        PyVarObject_HEAD_INIT(NULL, 0) \
        .tp_name = "bench_libev." #Kind, \
        .tp_basicsize = sizeof(Kind), \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, \
        .tp_dealloc = (destructor)kind##_dealloc, \
        .tp_traverse = (traverseproc)watcher_traverse, \
        .tp_clear = (inquiry)watcher_clear, \
        .tp_methods = kind##_methods, \
    };

#define NOTHING_TO_RELEASE(Kind, kind) static inline void kind##_release(Kind *self) { (void)self; }

NOTHING_TO_RELEASE(Io, io)
NOTHING_TO_RELEASE(Timer, timer)
NOTHING_TO_RELEASE(Periodic, periodic)
NOTHING_TO_RELEASE(Signal, signal)
NOTHING_TO_RELEASE(Child, child)
NOTHING_TO_RELEASE(Async, async)

static inline void stat_release(Stat *self)
{
    Py_CLEAR(self->path);
}

static PyObject *io_set(Io *self, PyObject *const *args, Py_ssize_t count)
{
    int fd, events;
    if (!check_count(count, 2))
        return NULL;
    fd = PyLong_AsLong(args[0]);
    events = PyLong_AsLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    if (ev_is_active(&self->ev)) {
        PyErr_SetString(PyExc_RuntimeError, "the watcher is active");
        return NULL;
    }
    ev_io_set(&self->ev, fd, events);
    Py_RETURN_NONE;
}

static PyObject *timer_reset(Timer *self, PyObject *Py_UNUSED(none))
{
    ev_timer_again(self->loop->ev, &self->ev);
    Py_RETURN_NONE;
}

static PyObject *async_send(Async *self, PyObject *Py_UNUSED(none))
{
    ev_async_send(self->loop->ev, &self->ev);
    Py_RETURN_NONE;
}

WATCHER(Io, io, {"set", (PyCFunction)(void (*)(void))io_set, METH_FASTCALL, NULL}, )
WATCHER(Timer, timer, {"reset", (PyCFunction)timer_reset, METH_NOARGS, NULL}, )
WATCHER(Periodic, periodic)
WATCHER(Signal, signal)
WATCHER(Child, child)
WATCHER(Async, async, {"send", (PyCFunction)async_send, METH_NOARGS, NULL}, )
WATCHER(Stat, stat)

/* ---- the loop ---- */

#define FACTORY(name) static PyObject *name(Loop *self, PyObject *const *args, Py_ssize_t count)

FACTORY(loop_io)
{
    int fd, events;
    Io *io;
    if (!check_count(count, 3))
        return NULL;
    fd = PyLong_AsLong(args[0]);
    events = PyLong_AsLong(args[1]);
    if (PyErr_Occurred() || !(io = watcher_new(&IoType, self, args[2])))
        return NULL;
    ev_io_set(&io->ev, fd, events);
    PyObject_GC_Track(io);
    return (PyObject *)io;
}

FACTORY(loop_timer)
{
    double after, repeat;
    Timer *timer;
    if (!check_count(count, 3))
        return NULL;
    after = PyFloat_AsDouble(args[0]);
    repeat = PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred() || !(timer = watcher_new(&TimerType, self, args[2])))
        return NULL;
    ev_timer_set(&timer->ev, after, repeat);
    PyObject_GC_Track(timer);
    return (PyObject *)timer;
}

FACTORY(loop_periodic)
{
    double offset, interval;
    Periodic *periodic;
    if (!check_count(count, 3))
        return NULL;
    offset = PyFloat_AsDouble(args[0]);
    interval = PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred() || !(periodic = watcher_new(&PeriodicType, self, args[2])))
        return NULL;
    ev_periodic_set(&periodic->ev, offset, interval, NULL);
    PyObject_GC_Track(periodic);
    return (PyObject *)periodic;
}

FACTORY(loop_signal)
{
    int number;
    Signal *signal;
    if (!check_count(count, 2))
        return NULL;
    number = PyLong_AsLong(args[0]);
    if (PyErr_Occurred() || !(signal = watcher_new(&SignalType, self, args[1])))
        return NULL;
    ev_signal_set(&signal->ev, number);
    PyObject_GC_Track(signal);
    return (PyObject *)signal;
}

FACTORY(loop_child)
{
    int pid, trace;
    Child *child;
    if (!check_count(count, 3))
        return NULL;
    pid = PyLong_AsLong(args[0]);
    trace = PyObject_IsTrue(args[1]);
    if (PyErr_Occurred() || !(child = watcher_new(&ChildType, self, args[2])))
        return NULL;
    ev_child_set(&child->ev, pid, trace);
    PyObject_GC_Track(child);
    return (PyObject *)child;
}

FACTORY(loop_stat)
{
    PyObject *path;
    double interval;
    Stat *stat;
    if (!check_count(count, 3))
        return NULL;
    interval = PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred() || !PyUnicode_FSConverter(args[0], &path))
        return NULL;
    if (!(stat = watcher_new(&StatType, self, args[2]))) {
        Py_DECREF(path);
        return NULL;
    }
    stat->path = path;
    ev_stat_set(&stat->ev, PyBytes_AS_STRING(path), interval);
    PyObject_GC_Track(stat);
    return (PyObject *)stat;
}

static PyObject *loop_async(Loop *self, PyObject *callback)
{
    Async *async = watcher_new(&AsyncType, self, callback);
    if (!async)
        return NULL;
    ev_async_set(&async->ev);
    PyObject_GC_Track(async);
    return (PyObject *)async;
}

static PyObject *loop_start(Loop *self, PyObject *Py_UNUSED(none))
{
    int active = ev_run(self->ev, 0);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(active);
}

static PyObject *loop_stop(Loop *self, PyObject *Py_UNUSED(none))
{
    ev_break(self->ev, EVBREAK_ONE);
    Py_RETURN_NONE;
}

static PyObject *loop_update(Loop *self, PyObject *Py_UNUSED(none))
{
    ev_now_update(self->ev);
    Py_RETURN_NONE;
}

static void loop_dealloc(Loop *self)
{
    if (self->ev)
        ev_loop_destroy(self->ev);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *loop_wrap(PyTypeObject *type, struct ev_loop *ev)
{
    Loop *self = (Loop *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    if (!(self->ev = ev)) {
        Py_DECREF(self);
        return PyErr_Format(PyExc_OSError, "libev cannot make a loop");
    }
    ev_set_userdata(ev, self);
    ev_set_loop_release_cb(ev, release_gil, acquire_gil);
    return (PyObject *)self;
}

static PyObject *loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (!PyArg_ParseTuple(args, "") || (kwargs && PyDict_GET_SIZE(kwargs)))
        return PyErr_Format(PyExc_TypeError, "Loop takes no arguments");
    return loop_wrap(type, ev_loop_new(EVFLAG_AUTO));
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL, NULL

static PyMethodDef loop_methods[] = {
    {"io", FAST(loop_io)},
    {"timer", FAST(loop_timer)},
    {"periodic", FAST(loop_periodic)},
    {"signal", FAST(loop_signal)},
    {"child", FAST(loop_child)},
    {"stat", FAST(loop_stat)},
    {"async_", (PyCFunction)loop_async, METH_O, NULL},
    {"start", (PyCFunction)loop_start, METH_NOARGS, NULL},
    {"stop", (PyCFunction)loop_stop, METH_NOARGS, NULL},
    {"update", (PyCFunction)loop_update, METH_NOARGS, NULL},
    {NULL}};

static PyTypeObject LoopType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bench_libev.Loop",
    .tp_basicsize = sizeof(Loop),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = loop_new,
    .tp_dealloc = (destructor)loop_dealloc,
    .tp_methods = loop_methods,
};

/* ---- the module ---- */

static PyObject *default_loop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    return loop_wrap(&LoopType, ev_default_loop(EVFLAG_AUTO));
}

static PyMethodDef functions[] = {
    {"default_loop", default_loop, METH_NOARGS, NULL},
    {NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "bench_libev",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit_bench_libev(void)
{
    PyTypeObject *types[] = {&LoopType, &IoType, &TimerType, &PeriodicType, &SignalType, &ChildType,
                             &StatType, &AsyncType};
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return NULL;
    if (PyModule_AddIntConstant(module, "EV_READ", EV_READ) < 0
        || PyModule_AddIntConstant(module, "EV_WRITE", EV_WRITE) < 0)
        return NULL;
    return module;
}
