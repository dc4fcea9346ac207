"""Finds the database servers that are installed, and starts them.

A server has a directory and a free port of its own, and ends with the tests, be it that they crash.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

STARTS_WITHIN = 60
ENDS_WITHIN = 60

# Between finding a free port and listening on it, another process may take it.
ATTEMPTS = 5


@dataclasses.dataclass
class Server:
    """A server that runs: it listens on a port of 127.0.0.1, and on a socket in its directory."""

    directory: pathlib.Path
    port: int = 0


def find(name):
    """The path of a server's program, or None."""
    # Debian keeps several versions of PostgreSQL, none of them in PATH.
    debian = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts)
    places = [os.environ.get("PATH", os.defpath), *map(str, reversed(debian))]
    return shutil.which(name, path=os.pathsep.join(places))


def require(name, package):
    """The path of a server's program; or else skip the test."""
    return find(name) or pytest.skip(
        f"{name} is not installed: 'make services' as root, or 'apt-get install {package}'"
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def unprivileged():
    """The user that a server runs as which refuses to be root's; None to stay what we are."""
    if os.geteuid() != 0:
        return None
    for name in "postgres", "nobody":
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


@functools.cache
def ending_with_us(end):
    """What to put before a command, for it to get the signal when the tests are no more."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", end.name.removeprefix("SIG")] if setpriv else []


def as_user(user):
    """The arguments of subprocess's functions that run a command as the user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


@contextlib.contextmanager
def running(command, directory, ready, end, user=None):
    """A server that runs; its command is a function of the port, end the signal that ends it."""
    process, port = start(command, directory, ready, end, user)
    try:
        yield Server(directory, port)
    finally:
        process.send_signal(end)
        status = process.wait(ENDS_WITHIN)
    assert status == 0


def start(command, directory, ready, end, user):
    """Start a server until it gets its port; returns its process and the port."""
    for _ in range(ATTEMPTS):
        port = free_port()
        log = directory / f"{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*ending_with_us(end), *command(port)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **as_user(user),
            )
        if comes_up(process, log, ready):
            return process, port
        if "in use" not in log.read_text():
            break
    raise AssertionError(f"{process.args} ended with {process.returncode}:\n{log.read_text()}")


def comes_up(process, log, ready):
    """Wait until the server says that it is ready; False if it has ended instead."""
    deadline = time.monotonic() + STARTS_WITHIN
    while ready not in log.read_text():
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def temporary_directory(user=None):
    # Not pytest's own, which other users cannot enter, and where the sockets' paths get too long.
    with tempfile.TemporaryDirectory(prefix="everloop-") as name:
        if user:
            os.chown(name, user.pw_uid, user.pw_gid)
        yield pathlib.Path(name)


@contextlib.contextmanager
def postgresql(certificate):
    """A PostgreSQL with the user 'tester', without passwords, with TLS."""
    postgres, initdb = require("postgres", "postgresql"), require("initdb", "postgresql")
    user = unprivileged()
    with temporary_directory(user) as directory:
        make_cluster(initdb, directory, user)
        write_certificate(certificate, directory, user)

        def command(port):
            settings = {
                "port": port,
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": directory,
                "ssl": "on",
                "ssl_cert_file": directory / "certificate.pem",
                "ssl_key_file": directory / "key.pem",
                "fsync": "off",  # what is in it need not outlive the tests
            }
            options = [f"--{name}={value}" for name, value in settings.items()]
            return [postgres, "-D", str(directory / "data"), *options]

        ready = "ready to accept connections"
        with running(command, directory, ready, signal.SIGINT, user) as server:
            yield server


def make_cluster(initdb, directory, user):
    options = ["--username=tester", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    subprocess.run(
        [initdb, "-D", str(directory / "data"), *options],
        check=True,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        **as_user(user),
    )


def write_certificate(certificate, directory, user):
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    for name, content in {
        "certificate.pem": chain,
        "key.pem": certificate.private_key_pem.bytes(),
    }.items():
        path = directory / name
        path.touch(0o600)
        path.write_bytes(content)
        if user:
            os.chown(path, user.pw_uid, user.pw_gid)


@contextlib.contextmanager
def redis():
    """A Redis that keeps nothing on disk; its socket is redis.sock in its directory."""
    program = require("redis-server", "redis-server")
    with temporary_directory() as directory:

        def command(port):
            settings = {
                "port": port,
                "bind": "127.0.0.1",
                "unixsocket": directory / "redis.sock",
                "save": "",
                "dir": directory,
            }
            options = [word for name, value in settings.items() for word in (f"--{name}", value)]
            return [program, *map(str, options)]

        with running(command, directory, "Ready to accept connections", signal.SIGTERM) as server:
            yield server
