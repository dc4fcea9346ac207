/* The load generator: keeps a server busy over connections that each have one request under way.
 *
 *   load KIND CORE ALONE PID BUDGET_NS WINDOWS CONNECTIONS REQUEST_SIZE REPLY_SIZE ADDRESS [PORT]
 *
 * KIND is tcp, tls, udp, unix, connect (each request is a connection, which this end shuts down and
 * the server closes) or idle. ALONE is 1 if the server is on another CORE. The request and the reply
 * that is expected come on standard input.
 *
 * After a warm-up it sends requests in windows that take the server (the process PID) about
 * BUDGET_NS of CPU time each, and prints the CPU time in ns per request of the fastest one, and of the
 * requests of all windows the median and the 99th percentile of the ns from begin to reply. At both
 * ends of a window no request is under way, so that exactly those are paid for that are counted.
 *
 * With idle it only connects, in a measured pace so that the server has not to accept many at once,
 * prints a line, and keeps the connections until its input ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 1024
#define SILENCE 3
#define SETTLE_US 1000
#define MAX_TRIES 500
#define PACE 10

typedef struct {
    int fd;
    void *tls;
    size_t left; /* of the reply */
    uint64_t begun;
} Connection;

static const char *kind;
static union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; } server;
static socklen_t server_size;
static clockid_t server_clock;
static Connection *connections;
static long connection_count;
static char *request, *reply, *received;
static size_t request_size, reply_size;
static int poller;
static int connecting; /* each request is a connection */
static int alone;      /* on a core of its own */
static int checking;   /* compare replies with what is expected */
static uint32_t *latencies; /* ns, of all requests of the windows */
static size_t latency_count, latency_room;

/* What went wrong goes where the figure would. */
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    exit(1);
}

static void check(int good, const char *what)
{
    if (!good)
        fail("load: %s: %s", what, strerror(errno));
}

static int is(const char *name)
{
    return strcmp(kind, name) == 0;
}

/* ---- TLS, loaded at run time: no headers are needed, and only one kind needs the library ---- */

static struct {
    void *context;
    void *(*new)(void *);
    int (*set_fd)(void *, int);
    int (*connect)(void *);
    int (*read)(void *, void *, int);
    int (*write)(void *, const void *, int);
} tls;

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        fail("unavailable: libssl has no %s", name);
    return found;
}

static void load_tls(void)
{
    void *library = dlopen("libssl.so.3", RTLD_NOW);
    if (!library)
        library = dlopen("libssl.so.1.1", RTLD_NOW);
    if (!library)
        fail("unavailable: there is no libssl.so.3");
    void *(*method)(void) = symbol(library, "TLS_client_method");
    void *(*new_context)(void *) = symbol(library, "SSL_CTX_new");
    tls.context = new_context(method());
    tls.new = symbol(library, "SSL_new");
    tls.set_fd = symbol(library, "SSL_set_fd");
    tls.connect = symbol(library, "SSL_connect");
    tls.read = symbol(library, "SSL_read");
    tls.write = symbol(library, "SSL_write");
}

/* ---- connections ---- */

static void read_address(const char *address, const char *port)
{
    if (is("unix")) {
        server.un.sun_family = AF_UNIX;
        strncpy(server.un.sun_path, address, sizeof server.un.sun_path - 1);
        server_size = sizeof server.un;
    } else {
        server.in.sin_family = AF_INET;
        server.in.sin_port = htons(atoi(port));
        inet_pton(AF_INET, address, &server.in.sin_addr);
        server_size = sizeof server.in;
    }
}

/* Each process and connection comes from an address of its own: the ports of a single one would run
 * out, since each stays taken for a minute after its connection. */
static void bind_own_address(int fd, unsigned index)
{
    unsigned process = getpid();
    unsigned host = (1 + process % 200) << 16 | (1 + process / 200 % 200) << 8 | (1 + index % 200);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(127u << 24 | host)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    check(bind(fd, (struct sockaddr *)&own, sizeof own) == 0, "bind");
}

static void open_connection(Connection *connection)
{
    int type = is("udp") ? SOCK_DGRAM : SOCK_STREAM;
    int fd = connection->fd = socket(server.any.sa_family, type | SOCK_CLOEXEC, 0);
    check(fd >= 0, "socket");
    if (connecting)
        bind_own_address(fd, connection - connections);
    else if (server.any.sa_family == AF_INET && type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    check(connect(fd, &server.any, server_size) == 0, "connect");
    if (is("tls")) {
        connection->tls = tls.new(tls.context);
        tls.set_fd(connection->tls, fd);
        check(tls.connect(connection->tls) == 1, "TLS handshake");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void open_connections(void)
{
    connections = calloc(connection_count, sizeof *connections);
    for (long i = 0; i < connection_count && !connecting; i++) {
        open_connection(&connections[i]);
        if (is("idle") && i % PACE == 0)
            usleep(SETTLE_US);
    }
}

static void close_connections(void)
{
    for (long i = 0; i < connection_count && !connecting; i++)
        close(connections[i].fd);
}

/* ---- requests ---- */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void note(const Connection *connection)
{
    if (checking)
        return;
    if (latency_count == latency_room) {
        latency_room = latency_room ? 2 * latency_room : 1 << 16;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        check(latencies != NULL, "latencies");
    }
    uint64_t taken = now() - connection->begun;
    latencies[latency_count++] = taken < UINT32_MAX ? taken : UINT32_MAX;
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static double quantile(double share)
{
    return latency_count ? latencies[(size_t)(share * (latency_count - 1))] : 0.0;
}

static void begin(Connection *connection)
{
    connection->begun = now();
    if (connecting) {
        open_connection(connection);
        shutdown(connection->fd, SHUT_WR);
        return;
    }
    connection->left = reply_size;
    for (size_t sent = 0; sent < request_size;) {
        ssize_t done = connection->tls
            ? tls.write(connection->tls, request + sent, request_size - sent)
            : send(connection->fd, request + sent, request_size - sent, MSG_NOSIGNAL);
        check(done > 0, "send");
        sent += done;
    }
}

/* Returns whether the reply is complete. */
static int advance(Connection *connection)
{
    size_t wanted = connecting ? 1 : connection->left;
    ssize_t done = connection->tls ? tls.read(connection->tls, received, wanted)
                                   : recv(connection->fd, received, wanted, 0);
    if (connecting) {
        check(done == 0, "the server did not close the connection");
        close(connection->fd);
        return 1;
    }
    check(done != 0, "the server closed a connection");
    check(done > 0, "recv");
    if (checking && memcmp(received, reply + reply_size - connection->left, done) != 0)
        fail("load: the reply is wrong");
    connection->left -= done;
    return !connection->left;
}

/* A sleeping generator would have to be woken for each reply, by the server, whom that may cost more
 * than all the rest, depending on how deep the core sleeps. So it stays awake if it has a core of its
 * own. */
static int wait_for_replies(struct epoll_event *events)
{
    int ready = 0;
    if (alone) {
        time_t start = time(NULL);
        while (ready == 0 && time(NULL) - start <= SILENCE)
            ready = epoll_wait(poller, events, MAX_EVENTS, 0);
    } else
        ready = epoll_wait(poller, events, MAX_EVENTS, SILENCE * 1000);
    if (ready == 0)
        fail("load: no reply within %d s", SILENCE);
    return ready;
}

/* Send requests and wait for all replies. */
static void run(long count)
{
    struct epoll_event events[MAX_EVENTS];
    long to_begin = count, completed = 0;
    for (long i = 0; i < connection_count && to_begin; i++, to_begin--)
        begin(&connections[i]);
    while (completed < count) {
        int ready = wait_for_replies(events);
        for (int i = 0; i < ready; i++) {
            if (!advance(events[i].data.ptr))
                continue;
            completed++;
            note(events[i].data.ptr);
            if (to_begin) {
                begin(events[i].data.ptr);
                to_begin--;
            }
        }
    }
}

/* ---- measurement ---- */

static double read_server_clock(void)
{
    struct timespec t;
    check(clock_gettime(server_clock, &t) == 0, "the server's CPU time");
    return t.tv_sec * 1e9 + t.tv_nsec;
}

/* While another process runs, its clock stands still and lags behind by up to a tick; it is right
 * when the process has gone to sleep. That is waited for. */
static double server_cpu(void)
{
    double now = read_server_clock(), before;
    int tries = MAX_TRIES;
    do {
        usleep(SETTLE_US);
        before = now;
        now = read_server_clock();
    } while (now != before && --tries);
    if (!tries)
        fail("load: the server does not come to rest");
    return now;
}

static double cost(long count)
{
    double before = server_cpu();
    run(count);
    return server_cpu() - before;
}

static double measure(double budget, int windows)
{
    long count = connection_count;
    double spent, best = 0.0;
    checking = 1;
    run(count); /* when they are done, the server has started */
    while ((spent = cost(count)) < budget / 5)
        count *= 4;
    checking = 0;
    count *= budget / spent;
    if (count < connection_count)
        count = connection_count;
    for (int i = 0; i < windows; i++) {
        double each = cost(count) / count;
        if (i == 0 || each < best)
            best = each;
    }
    return best;
}

static void stay_on(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

static char *read_bytes(size_t size)
{
    char *bytes = malloc(size + 1);
    check(fread(bytes, 1, size, stdin) == size, "standard input");
    return bytes;
}

int main(int count, char **arguments)
{
    if (count < 11)
        fail("load: too few arguments");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    kind = arguments[1];
    connecting = is("connect");
    stay_on(atoi(arguments[2]));
    check(clock_getcpuclockid(atoi(arguments[4]), &server_clock) == 0, "the server's clock");
    connection_count = atol(arguments[7]);
    alone = atoi(arguments[3]);
    request_size = atol(arguments[8]);
    reply_size = atol(arguments[9]);
    read_address(arguments[10], count > 11 ? arguments[11] : "0");
    request = read_bytes(request_size);
    reply = read_bytes(reply_size);
    received = malloc(reply_size + 1);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (is("tls"))
        load_tls();
    open_connections();
    if (is("idle")) {
        puts("connected");
        fflush(stdout);
        getchar();
        return 0;
    }
    double figure = measure(atof(arguments[5]), atoi(arguments[6]));
    close_connections();
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("%.3f %.0f %.0f\n", figure, quantile(0.5), quantile(0.99));
    return 0;
}
