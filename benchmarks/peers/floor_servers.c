/* The floor of the asyncio rows: servers in C that do the least which each row asks of a server.
 *
 * Neither callbacks nor objects, no errors beyond those that the benchmarks could meet. Each serves
 * until the descriptor `done` is readable. The GIL is held throughout: there is no other thread.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS 1024
#define MAX_DESCRIPTORS 65536

typedef struct { char *data; size_t size; } Rest;

static char buffer[256 * 1024];
static Rest rests[MAX_DESCRIPTORS]; /* what could not be sent yet */

static void watch(int poller, int operation, int fd, int events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &event);
}

static void accept_all(int poller, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* Keeps what does not fit, and waits for room instead of requests until it is gone. */
static void send_all(int poller, int fd, const char *data, size_t size)
{
    ssize_t done = send(fd, data, size, MSG_NOSIGNAL);
    if (done == (ssize_t)size || (done < 0 && errno != EAGAIN))
        return;
    size_t left = size - (done > 0 ? done : 0);
    char *copy = malloc(left);
    memcpy(copy, data + (size - left), left);
    rests[fd] = (Rest){copy, left};
    watch(poller, EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void send_rest(int poller, int fd)
{
    Rest rest = rests[fd];
    rests[fd] = (Rest){NULL, 0};
    watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN);
    send_all(poller, fd, rest.data, rest.size);
    free(rest.data);
}

/* Without a reply the server sends back what has come. */
static void answer(int poller, int fd, const char *reply, size_t reply_size)
{
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size > 0)
        send_all(poller, fd, reply ? reply : buffer, reply ? reply_size : (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        close(fd);
}

static PyObject *streams(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int listener, done;
    const char *reply;
    Py_ssize_t reply_size;
    if (!PyArg_ParseTuple(arguments, "iiz#", &listener, &done, &reply, &reply_size))
        return NULL;
    int poller = epoll_create1(EPOLL_CLOEXEC), finished = 0;
    struct epoll_event events[MAX_EVENTS];
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(poller, EPOLL_CTL_ADD, done, EPOLLIN);
    while (!finished) {
        int ready = epoll_wait(poller, events, MAX_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(poller, listener);
            else if (fd == done)
                finished = 1;
            else if (rests[fd].data)
                send_rest(poller, fd);
            else
                answer(poller, fd, reply, reply_size);
        }
    }
    close(poller);
    Py_RETURN_NONE;
}

static void answer_datagrams(int fd)
{
    struct sockaddr_storage address;
    for (;;) {
        socklen_t address_size = sizeof address;
        struct sockaddr *sender = (struct sockaddr *)&address;
        ssize_t size = recvfrom(fd, buffer, sizeof buffer, 0, sender, &address_size);
        if (size < 0)
            return;
        sendto(fd, buffer, size, 0, sender, address_size);
    }
}

static PyObject *datagrams(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int fd, done;
    if (!PyArg_ParseTuple(arguments, "ii", &fd, &done))
        return NULL;
    int poller = epoll_create1(EPOLL_CLOEXEC), finished = 0;
    struct epoll_event events[2];
    watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
    watch(poller, EPOLL_CTL_ADD, done, EPOLLIN);
    while (!finished) {
        int ready = epoll_wait(poller, events, 2, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == fd)
                answer_datagrams(fd);
            else
                finished = 1;
        }
    }
    close(poller);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"streams", streams, METH_VARARGS,
     "streams(listener, done, reply): accept connections, and answer with `reply` or what came"},
    {"datagrams", datagrams, METH_VARARGS, "datagrams(fd, done): send datagrams back"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "bench_floor_servers", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_bench_floor_servers(void)
{
    return PyModule_Create(&definition);
}
