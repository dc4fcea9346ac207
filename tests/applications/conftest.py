"""What the tests of applications share: the databases, and a certificate authority."""

import gc

import pytest
import trustme

from . import servers


@pytest.fixture(autouse=True)
def collected():
    """What a test forgot to close fails that test, and not one that comes later."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def authority():
    """A certificate authority; who trusts it trusts certificate."""
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority):
    """The certificate of a server on this host."""
    return authority.issue_cert("localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def postgresql(certificate):
    """A PostgreSQL that runs, as a servers.Server."""
    with servers.postgresql(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def redis():
    """A Redis that runs, as a servers.Server."""
    with servers.redis() as server:
        yield server
