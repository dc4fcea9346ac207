# What keeps threads apart on a Python without the GIL. With the GIL it does that, and all of
# this is nothing.
from cpython.object cimport PyObject

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED

    #include <sched.h>
    #include <time.h>

    /* A critical section of CPython's on an object. As the GIL, it is given up whenever
       the thread blocks or waits, and taken again afterwards; so it can't deadlock, and
       what is done under it need not fear more than under the GIL. */
    typedef struct {
        PyObject *object;   /* owned; NULL if there is nothing to leave */
        PyCriticalSection section;
    } everloop_section;

    /* Whether this thread is in the object's section now. One that is further down the
       stack than another may have been given up: CPython notes that in the link to it. */
    static inline int everloop_inside(PyObject *object)
    {
        uintptr_t link = PyThreadState_GetUnchecked()->critical_section;
        while (link != 0 && (link & 1) == 0) {
            PyCriticalSection *section = (PyCriticalSection *)(link & ~(uintptr_t)3);
            if (section->_cs_mutex == &object->ob_mutex)
                return 1;
            link = section->_cs_prev;
        }
        return 0;
    }

    /* In a forked child: open for all, unless this thread is inside. */
    static inline void everloop_open(PyObject *object)
    {
        if (PyThreadState_GetUnchecked() == NULL || !everloop_inside(object))
            __atomic_store_n(&object->ob_mutex._bits, 0, __ATOMIC_RELAXED);
    }

    static inline void everloop_enter(void *section, PyObject *object)
    {
        everloop_section *held = section;
        if (everloop_inside(object)) {
            held->object = NULL;
            return;
        }
        Py_INCREF(object);
        held->object = object;
        PyCriticalSection_Begin(&held->section, object);
    }

    static inline void everloop_leave(everloop_section *held)
    {
        if (held->object != NULL) {
            PyCriticalSection_End(&held->section);
            Py_DECREF(held->object);
        }
    }

    /* A variable of this type leaves what was entered with it where its function ends. */
    #define EVERLOOP_SECTION __attribute__((cleanup(everloop_leave))) everloop_section

    #define everloop_enter_nothing(held) (((everloop_section *)(held))->object = NULL)

    /* A lock that is waited for on the spot. As nobody parks for it, it is not handed over to
       a thread that a forked child is without, and no section is given up on the way to it:
       what the caller was in the middle of stays so. */
    typedef unsigned char everloop_lock;

    static inline void everloop_pause(unsigned tries)
    {
        /* In the end even a thread of a lower priority gets on that has the lock. */
        static const struct timespec moment = {0, 50000};
        if (tries > 200)
            nanosleep(&moment, NULL);
        else if (tries > 100)
            sched_yield();
    }

    static inline void everloop_lock_acquire(everloop_lock *lock)
    {
        for (unsigned tries = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); )
            while (__atomic_load_n(lock, __ATOMIC_RELAXED))
                everloop_pause(++tries);
    }

    static inline void everloop_lock_release(everloop_lock *lock)
    {
        __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
    }

    /* Whether some thread waits to get in; bit 1 of a mutex: it has parked threads. */
    static inline int everloop_wanted(PyObject *object)
    {
        return __atomic_load_n(&object->ob_mutex._bits, __ATOMIC_RELAXED) & 2;
    }

    static inline void everloop_let_in(void)
    {
        Py_BEGIN_ALLOW_THREADS
        Py_END_ALLOW_THREADS
    }

    static inline int everloop_owned_alone(PyObject *object)
    {
        return _Py_IsOwnedByCurrentThread(object)
            && __atomic_load_n(&object->ob_ref_local, __ATOMIC_RELAXED) == 1
            && __atomic_load_n(&object->ob_ref_shared, __ATOMIC_ACQUIRE) == 0;
    }

    /* The count is exact, flags in its lower bits aside, for the thread that owns the object,
       and for all once it has been merged into the shared one; while another thread owns it
       the two parts can't be read at once. A weak reference does not count, which rules out
       PyUnstable_Object_IsUniquelyReferenced(). */
    static inline int everloop_referenced_once(PyObject *object)
    {
        uintptr_t owner = __atomic_load_n(&object->ob_tid, __ATOMIC_ACQUIRE);
        Py_ssize_t shared;
        if (owner != 0 && owner != _Py_ThreadId())
            return 0;
        shared = __atomic_load_n(&object->ob_ref_shared, __ATOMIC_ACQUIRE) >> _Py_REF_SHARED_SHIFT;
        return shared + __atomic_load_n(&object->ob_ref_local, __ATOMIC_RELAXED) == 1;
    }

    #define EVERLOOP_FREE_THREADED 1

    typedef _Atomic int everloop_flag;
    #define everloop_load(place) __atomic_load_n(place, __ATOMIC_RELAXED)
    #define everloop_store(place, value) __atomic_store_n(place, value, __ATOMIC_RELAXED)
    #define everloop_exchange(place, value) __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST)
    #define everloop_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

    #else

    typedef struct {} everloop_section;
    #define EVERLOOP_SECTION everloop_section
    #define everloop_enter(held, object) ((void)(held))
    #define everloop_enter_nothing(held) ((void)(held))
    #define everloop_inside(object) 1
    #define everloop_open(object) ((void)(object))
    #define everloop_wanted(object) 0
    #define everloop_let_in() ((void)0)
    #define everloop_owned_alone(object) (Py_REFCNT(object) == 1)
    #define everloop_referenced_once(object) (Py_REFCNT(object) == 1)

    #define EVERLOOP_FREE_THREADED 0

    typedef struct {} everloop_lock;
    #define everloop_lock_acquire(lock) ((void)(lock))
    #define everloop_lock_release(lock) ((void)(lock))
    typedef volatile int everloop_flag;
    #define everloop_load(place) (*(place))
    #define everloop_store(place, value) ((void)(*(place) = (value)))
    static inline unsigned char everloop_exchange(unsigned char *place, unsigned char value)
    {
        unsigned char before = *place;
        *place = value;
        return before;
    }
    #define everloop_fence() ((void)0)

    #endif
    """
    const bint FREE_THREADED "EVERLOOP_FREE_THREADED"

    # The address of a variable of this type is for one call of enter_section() or
    # enter_nothing(), which has to be the first thing that its function does; what was
    # entered is left where that ends.
    ctypedef struct Section "EVERLOOP_SECTION":
        pass
    void enter_section "everloop_enter"(void* section, PyObject* object) noexcept
    void enter_nothing "everloop_enter_nothing"(void* section) noexcept
    bint inside_section "everloop_inside"(PyObject* object) noexcept
    bint section_wanted "everloop_wanted"(PyObject* object) noexcept
    void open_section "everloop_open"(PyObject* object) noexcept nogil
    void let_others_in "everloop_let_in"() noexcept

    # Whether the one reference that the caller has is the only one there is, and this thread
    # the only one that can make more, weak ones included.
    bint owned_alone "everloop_owned_alone"(PyObject* object) noexcept

    # The same but for weak references; without the GIL never if another thread has made the
    # object and is still there.
    bint referenced_once "everloop_referenced_once"(PyObject* object) noexcept

    # For a few instructions that neither wait for anything nor drop a reference: others wait for
    # them on the spot, and can't be stopped meanwhile.
    ctypedef struct Lock "everloop_lock":
        pass
    void acquire "everloop_lock_acquire"(Lock* lock) noexcept
    void unlock "everloop_lock_release"(Lock* lock) noexcept

    # What threads and signal handlers set and look at without a lock or section.
    ctypedef int Flag "everloop_flag"
    unsigned char load "everloop_load"(unsigned char* place) noexcept
    void store "everloop_store"(unsigned char* place, unsigned char value) noexcept
    unsigned char exchange "everloop_exchange"(unsigned char* place, unsigned char value) noexcept
    void fence "everloop_fence"() noexcept
