/* The floor: the least that C can do to call the same Python callbacks.
 *
 * A plain array of watchers by descriptor, a plain heap of timers, epoll and one eventfd. No errors
 * are handled beyond those that the benchmarks could meet, one watcher per descriptor, nothing is
 * kept alive, nothing is known to the garbage collector. No real loop can do without what is left
 * out here, so the floor is a yardstick and not a competitor.
 *
 * The GIL is held during the wait unless Loop.threaded is set, as the workloads with threads do.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define READ 1
#define WRITE 2
#define TIMER 0x100
#define ASYNC 0x80000
#define MAX_EVENTS 1024

typedef struct Loop Loop;

typedef struct Io {
    PyObject_HEAD
    Loop *loop;
    PyObject *callback;
    int fd;
    unsigned char wanted;  /* the events that the program wants */
    unsigned char known;   /* the events that the kernel knows of */
    unsigned char changed; /* queued in Loop.changes */
    unsigned char events;
} Io;

typedef struct {
    PyObject_HEAD
    Loop *loop;
    PyObject *callback;
    double after;
    double repeat;
    Py_ssize_t index; /* in the heap; -1: not active */
} Timer;

typedef struct Async {
    PyObject_HEAD
    Loop *loop;
    PyObject *callback;
    struct Async *next; /* of the loop's started ones */
    int sent;
} Async;

typedef struct { double at; Timer *timer; } Node;

struct Loop {
    PyObject_HEAD
    int epoll, wakeup, woken, stopped, active;
    char threaded;
    double now;
    Io **changes;
    Py_ssize_t changes_count, changes_size;
    Node *heap;
    Py_ssize_t heap_count, heap_size;
    Async *asyncs;
};

static double monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void call(Loop *loop, PyObject *callback, void *watcher, int revents)
{
    PyObject *arguments[3] = {NULL, watcher, PyLong_FromLong(revents)};
    PyObject *result
        = PyObject_Vectorcall(callback, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(arguments[2]);
    if (result)
        Py_DECREF(result);
    else
        loop->stopped = 1;
}

/* ---- descriptors ---- */

static void io_change(Io *io, int wanted)
{
    Loop *loop = io->loop;
    io->wanted = wanted;
    if (io->changed)
        return;
    if (loop->changes_count == loop->changes_size) {
        loop->changes_size = loop->changes_size ? 2 * loop->changes_size : 16;
        PyMem_Resize(loop->changes, Io *, loop->changes_size);
    }
    loop->changes[loop->changes_count++] = io;
    io->changed = 1;
}

static PyObject *io_start(Io *io, PyObject *Py_UNUSED(none))
{
    if (!io->wanted) {
        io->loop->active++;
        io_change(io, io->events);
    }
    Py_RETURN_NONE;
}

static PyObject *io_stop(Io *io, PyObject *Py_UNUSED(none))
{
    if (io->wanted) {
        io->loop->active--;
        io_change(io, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *io_set(Io *io, PyObject *const *args, Py_ssize_t Py_UNUSED(count))
{
    io->fd = PyLong_AsLong(args[0]);
    io->events = PyLong_AsLong(args[1]);
    Py_RETURN_NONE;
}

static void tell_kernel(Io *io)
{
    struct epoll_event event = {.data.ptr = io};
    event.events = (io->wanted & READ ? EPOLLIN : 0) | (io->wanted & WRITE ? EPOLLOUT : 0);
    epoll_ctl(io->loop->epoll,
              !io->known ? EPOLL_CTL_ADD : io->wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL,
              io->fd, &event);
    io->known = io->wanted;
}

/* Only new interests are worth a system call: one that is gone costs nothing until it turns up. */
static void apply_changes(Loop *loop)
{
    for (Py_ssize_t i = 0; i < loop->changes_count; i++) {
        Io *io = loop->changes[i];
        io->changed = 0;
        if (io->wanted & ~io->known)
            tell_kernel(io);
    }
    loop->changes_count = 0;
}

/* ---- timers: a heap with four children a node ---- */

static void place(Loop *loop, Py_ssize_t index, Node node)
{
    loop->heap[index] = node;
    node.timer->index = index;
}

static void sift_up(Loop *loop, Py_ssize_t index, Node node)
{
    while (index) {
        Py_ssize_t parent = (index - 1) / 4;
        if (loop->heap[parent].at <= node.at)
            break;
        place(loop, index, loop->heap[parent]);
        index = parent;
    }
    place(loop, index, node);
}

static void sift_down(Loop *loop, Py_ssize_t index, Node node)
{
    for (;;) {
        Py_ssize_t child = 4 * index + 1, least = child, end = child + 4;
        if (child >= loop->heap_count)
            break;
        if (end > loop->heap_count)
            end = loop->heap_count;
        while (++child < end)
            if (loop->heap[child].at < loop->heap[least].at)
                least = child;
        if (loop->heap[least].at >= node.at)
            break;
        place(loop, index, loop->heap[least]);
        index = least;
    }
    place(loop, index, node);
}

static void sift(Loop *loop, Py_ssize_t index, Node node)
{
    if (index && loop->heap[(index - 1) / 4].at > node.at)
        sift_up(loop, index, node);
    else
        sift_down(loop, index, node);
}

static void timer_insert(Timer *timer, double at)
{
    Loop *loop = timer->loop;
    if (loop->heap_count == loop->heap_size) {
        loop->heap_size = loop->heap_size ? 2 * loop->heap_size : 64;
        PyMem_Resize(loop->heap, Node, loop->heap_size);
    }
    loop->active++;
    sift_up(loop, loop->heap_count++, (Node){at, timer});
}

static void timer_remove(Timer *timer)
{
    Loop *loop = timer->loop;
    Py_ssize_t index = timer->index;
    Node last = loop->heap[--loop->heap_count];
    loop->active--;
    timer->index = -1;
    if (last.timer != timer)
        sift(loop, index, last);
}

static PyObject *timer_start(Timer *timer, PyObject *Py_UNUSED(none))
{
    if (timer->index < 0)
        timer_insert(timer, timer->loop->now + timer->after);
    Py_RETURN_NONE;
}

static PyObject *timer_stop(Timer *timer, PyObject *Py_UNUSED(none))
{
    if (timer->index >= 0)
        timer_remove(timer);
    Py_RETURN_NONE;
}

static PyObject *timer_reset(Timer *timer, PyObject *Py_UNUSED(none))
{
    sift(timer->loop, timer->index, (Node){timer->loop->now + timer->repeat, timer});
    Py_RETURN_NONE;
}

static void run_timers(Loop *loop)
{
    while (loop->heap_count && loop->heap[0].at <= loop->now) {
        Timer *timer = loop->heap[0].timer;
        if (timer->repeat > 0.0)
            sift_down(loop, 0, (Node){loop->now + timer->repeat, timer});
        else
            timer_remove(timer);
        call(loop, timer->callback, timer, TIMER);
    }
}

/* ---- wake-ups ---- */

static PyObject *async_start(Async *async, PyObject *Py_UNUSED(none))
{
    async->next = async->loop->asyncs;
    async->loop->asyncs = async;
    async->loop->active++;
    Py_RETURN_NONE;
}

static PyObject *async_send(Async *async, PyObject *Py_UNUSED(none))
{
    async->sent = 1;
    if (!async->loop->woken) {
        async->loop->woken = 1;
        /* Whoever is woken needs the GIL, and would wait for it once more if it were held here. */
        Py_BEGIN_ALLOW_THREADS
        eventfd_write(async->loop->wakeup, 1);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static void run_asyncs(Loop *loop)
{
    eventfd_t ignored;
    eventfd_read(loop->wakeup, &ignored);
    loop->woken = 0;
    for (Async *async = loop->asyncs; async; async = async->next)
        if (async->sent) {
            async->sent = 0;
            call(loop, async->callback, async, ASYNC);
        }
}

/* ---- the loop ---- */

static int wait_for_events(Loop *loop, struct epoll_event *events)
{
    struct timespec timeout, *limit = NULL;
    int count;
    if (loop->heap_count) {
        double left = loop->heap[0].at - loop->now;
        left = left > 0.0 ? left : 0.0;
        timeout.tv_sec = (time_t)left;
        timeout.tv_nsec = (long)((left - timeout.tv_sec) * 1e9);
        limit = &timeout;
    }
    if (!loop->threaded)
        return syscall(SYS_epoll_pwait2, loop->epoll, events, MAX_EVENTS, limit, NULL, 0);
    Py_BEGIN_ALLOW_THREADS
    count = syscall(SYS_epoll_pwait2, loop->epoll, events, MAX_EVENTS, limit, NULL, 0);
    Py_END_ALLOW_THREADS
    return count;
}

static PyObject *loop_start(Loop *loop, PyObject *Py_UNUSED(none))
{
    struct epoll_event events[MAX_EVENTS];
    loop->stopped = 0;
    if (loop->heap_count)
        loop->now = monotonic();
    while (!loop->stopped && loop->active) {
        int count;
        apply_changes(loop);
        count = wait_for_events(loop, events);
        if (loop->heap_count) {
            loop->now = monotonic();
            run_timers(loop);
        }
        for (int i = 0; i < count; i++) {
            Io *io = events[i].data.ptr;
            int revents = (events[i].events & EPOLLIN ? READ : 0)
                          | (events[i].events & EPOLLOUT ? WRITE : 0);
            if (!io) {
                run_asyncs(loop);
                continue;
            }
            if (revents & ~io->wanted)
                tell_kernel(io);
            if (revents & io->wanted)
                call(loop, io->callback, io, revents & io->wanted);
        }
    }
    return PyErr_Occurred() ? NULL : PyBool_FromLong(loop->active);
}

static PyObject *loop_stop(Loop *loop, PyObject *Py_UNUSED(none))
{
    loop->stopped = 1;
    Py_RETURN_NONE;
}

static PyObject *loop_update(Loop *loop, PyObject *Py_UNUSED(none))
{
    loop->now = monotonic();
    Py_RETURN_NONE;
}

/* ---- types ---- */

static void watcher_dealloc(Io *watcher)
{
    Py_DECREF(watcher->callback);
    Py_DECREF(watcher->loop);
    PyObject_Free(watcher);
}

#define METHOD(name, function) {name, (PyCFunction)function, METH_NOARGS, NULL}
#define FAST(name, function) {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL, NULL}
#define WATCHER_TYPE(Kind, kind, ...) \
    static PyMethodDef kind##_methods[] = {METHOD("start", kind##_start), __VA_ARGS__, {NULL}}; \
    static PyTypeObject Kind##Type = { \
        PyVarObject_HEAD_INIT(NULL, 0) \
        .tp_name = "bench_floor." #Kind, \
        .tp_basicsize = sizeof(Kind), \
        .tp_flags = Py_TPFLAGS_DEFAULT, \
        .tp_dealloc = (destructor)watcher_dealloc, \
        .tp_methods = kind##_methods, \
    };

WATCHER_TYPE(Io, io, METHOD("stop", io_stop), FAST("set", io_set))
WATCHER_TYPE(Timer, timer, METHOD("stop", timer_stop), METHOD("reset", timer_reset))
WATCHER_TYPE(Async, async, METHOD("send", async_send))

static PyObject *loop_io(Loop *loop, PyObject *const *args, Py_ssize_t Py_UNUSED(count))
{
    Io *io = PyObject_New(Io, &IoType);
    io->loop = (Loop *)Py_NewRef(loop);
    io->fd = PyLong_AsLong(args[0]);
    io->events = PyLong_AsLong(args[1]);
    io->callback = Py_NewRef(args[2]);
    io->wanted = io->known = io->changed = 0;
    return (PyObject *)io;
}

static PyObject *loop_timer(Loop *loop, PyObject *const *args, Py_ssize_t Py_UNUSED(count))
{
    Timer *timer = PyObject_New(Timer, &TimerType);
    timer->loop = (Loop *)Py_NewRef(loop);
    timer->after = PyFloat_AsDouble(args[0]);
    timer->repeat = PyFloat_AsDouble(args[1]);
    timer->callback = Py_NewRef(args[2]);
    timer->index = -1;
    return (PyObject *)timer;
}

static PyObject *loop_async(Loop *loop, PyObject *callback)
{
    Async *async = PyObject_New(Async, &AsyncType);
    async->loop = (Loop *)Py_NewRef(loop);
    async->callback = Py_NewRef(callback);
    async->sent = 0;
    return (PyObject *)async;
}

static PyObject *loop_new(PyTypeObject *type, PyObject *Py_UNUSED(a), PyObject *Py_UNUSED(k))
{
    Loop *loop = (Loop *)type->tp_alloc(type, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wakeup, &event);
    loop->now = monotonic();
    return (PyObject *)loop;
}

static void loop_dealloc(Loop *loop)
{
    close(loop->epoll);
    close(loop->wakeup);
    PyMem_Free(loop->changes);
    PyMem_Free(loop->heap);
    Py_TYPE(loop)->tp_free(loop);
}

static PyMethodDef loop_methods[] = {
    FAST("io", loop_io),
    FAST("timer", loop_timer),
    {"async_", (PyCFunction)loop_async, METH_O, NULL},
    METHOD("start", loop_start),
    METHOD("stop", loop_stop),
    METHOD("update", loop_update),
    {NULL}};

static PyMemberDef loop_members[] = {{"threaded", T_BOOL, offsetof(Loop, threaded), 0, NULL},
                                     {NULL}};

static PyTypeObject LoopType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bench_floor.Loop",
    .tp_basicsize = sizeof(Loop),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = loop_new,
    .tp_dealloc = (destructor)loop_dealloc,
    .tp_methods = loop_methods,
    .tp_members = loop_members,
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "bench_floor",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit_bench_floor(void)
{
    PyTypeObject *types[] = {&LoopType, &IoType, &TimerType, &AsyncType};
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return NULL;
    if (PyModule_AddIntConstant(module, "EV_READ", READ) < 0
        || PyModule_AddIntConstant(module, "EV_WRITE", WRITE) < 0)
        return NULL;
    return module;
}
