"""Loops for the tests of the asyncio face: verified, closed, and stopped if they hang."""

import asyncio
import ssl
import subprocess
import threading

import pytest

import everloop

from .helpers import PATIENCE


@pytest.fixture
def handled():
    """What the loop's exception handler is called with; a test without it fails by it."""
    return []


@pytest.fixture
def loop(request, handled):
    """An EventLoop, which is verified and closed in the end."""
    loop = everloop.new_event_loop()
    loop.set_exception_handler(lambda _, context: handled.append(context))
    hung = []

    def rescue():
        hung.append(loop)
        loop.call_soon_threadsafe(loop.stop)
        everloop.Loop.stop(loop, everloop.EVBREAK_ALL)

    rescuer = threading.Timer(PATIENCE + 5, rescue)
    rescuer.daemon = True
    rescuer.start()
    yield loop
    rescuer.cancel()
    rescuer.join()
    if hung:
        loop.close()
    assert not hung, "the loop ran for too long and had to be stopped"
    if not loop.is_closed():
        finish(loop)
    if "handled" not in request.fixturenames:
        assert not handled


def finish(loop):
    """As asyncio.Runner does, and what everloop's own tests add."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True)) if left else None
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.verify()
    loop.close()


@pytest.fixture
def run(loop):
    """A function that runs a coroutine until it is done, and returns its result."""

    def run(coroutine):
        return loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE))

    return run


@pytest.fixture
def run_round(loop):
    """A function that has the loop make the calls that are ready now."""

    def run_round():
        loop.call_soon(loop.stop)
        loop.run_forever()

    return run_round


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The path of a certificate of localhost's and its key, which is its own authority."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    key = path.with_name("key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(path)],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


@pytest.fixture
def contexts(certificate):
    """SSL contexts: of a server, and of a client that trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    return server, ssl.create_default_context(cafile=certificate)
