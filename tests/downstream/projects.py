"""The projects whose suites run: what each is, where its tests come from, how they run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .sources import Debian, Sdist


@dataclass(frozen=True)
class Project:
    """A project, pinned, and how its suite is run."""

    name: str
    version: str
    # Where the archive with the tests is from; None if the installed package has them.
    source: Sdist | Debian | None
    requirements: tuple[str, ...]
    # Of pytest; {redis.port} and the like stand for the addresses of services.
    arguments: tuple[str, ...]
    # Patterns of tests, in which * is any text, with the reasons why they do not run.
    left_out: Mapping[str, str] = field(default_factory=dict)
    # What of the archive is removed, for the installed package to be tested and not the sources.
    without: tuple[str, ...] = ()
    # The directory of the archive in which pytest runs.
    directory: str = "."
    # Names that take the loop under test, where a suite does not go by the policy.
    replaces: tuple[str, ...] = ()
    # Whether the processes that the suite starts use the loop under test, too.
    children: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    # Seconds for one test.
    limit: int = 60
    # Whether it belongs to those that run in little time.
    quick: bool = False


PROJECTS = (
    Project(
        name="anyio",
        version="4.16.0",
        source=Sdist("anyio"),
        requirements=(
            "anyio[trio]==4.16.0",
            "blockbuster",
            "hypothesis",
            "psutil",
            "pytest-mock",
            "trustme",
            "truststore",
        ),
        # trio's own tests have nothing to do with asyncio.
        arguments=("-p", "anyio", "-p", "pytest_mock", "-k", "not trio", "tests"),
        left_out={
            "tests/test_lazyimport.py::test_sourceless_install": "copies the sources of anyio",
            "tests/test_sockets.py::test_getaddrinfo*": "asks for a name on the network",
        },
        without=("src",),
        limit=30,
        quick=True,
    ),
    Project(
        name="aiohttp",
        version="3.14.5",
        source=Sdist("aiohttp"),
        requirements=(
            "aiohttp[speedups]==3.14.5",
            "blockbuster",
            "freezegun",
            "isal",
            "proxy.py",
            "pytest-cov",
            "pytest-mock",
            "pytest-xdist",
            "pytest_codspeed",
            "python-on-whales",
            "setuptools",
            "trustme",
            "zlib_ng",
        ),
        arguments=(
            "-p",
            "pytest_cov",
            "-m",
            "not dev_mode and not autobahn and not internal",
            "tests",
        ),
        left_out={
            "tests/test_benchmarks_*.py": "measures, and tests nothing",
            "tests/test_http_parser.py": "parses for minutes, and sends nothing",
        },
        without=("aiohttp",),
    ),
    Project(
        name="websockets",
        version="15.0.1",
        source=Debian("python-websockets", "trixie", "-1"),
        requirements=("websockets==15.0.1", "werkzeug"),
        arguments=("tests",),
        left_out={"tests/sync/*": "has threads and no loop"},
        without=("src",),
    ),
    Project(
        name="uvicorn",
        version="0.54.0",
        source=Sdist("uvicorn"),
        requirements=(
            "uvicorn==0.54.0",
            "a2wsgi",
            "cryptography",
            "httptools",
            "httpx2",
            "pytest-codspeed",
            "pytest-mock",
            "python-dotenv",
            "PyYAML",
            "trustme",
            "watchfiles",
            "websockets==17.4",
            "wsproto",
            "zttp",
        ),
        arguments=("tests",),
        left_out={
            "tests/supervisors/test_reload.py::*": "watches files for half a minute, without a loop",
        },
        without=("uvicorn",),
        replaces=("asyncio.SelectorEventLoop",),
    ),
    Project(
        name="httpcore",
        version="1.0.9",
        source=Sdist("httpcore"),
        requirements=(
            "httpcore[asyncio,http2,socks,trio]==1.0.9",
            "pytest-httpbin",
            "pytest-trio",
        ),
        arguments=("tests",),
        without=("httpcore",),
        quick=True,
    ),
    Project(
        name="hypercorn",
        version="0.18.0",
        source=Sdist("hypercorn"),
        requirements=(
            "hypercorn[h3,trio]==0.18.0",
            "httpx",
            "hypothesis",
            "mock",
            "pytest-asyncio",
            "pytest-trio",
        ),
        arguments=("tests",),
        without=("src",),
        quick=True,
    ),
    Project(
        name="asyncssh",
        version="2.24.1",
        source=Sdist("asyncssh"),
        requirements=("asyncssh[bcrypt,fido2,pyOpenSSL]==2.24.1",),
        arguments=("tests",),
        left_out={
            "tests/test_public_key.py": "makes keys for a minute and a half, without a loop",
            "tests/test_tuntap.py": "makes network interfaces",
        },
        without=("asyncssh",),
    ),
    Project(
        name="aioquic",
        version="1.7.2",
        source=Sdist("aioquic"),
        requirements=("aioquic==1.7.2",),
        arguments=("tests",),
        without=("src",),
        quick=True,
    ),
    Project(
        name="janus",
        version="2.0.0",
        source=Sdist("janus"),
        requirements=("janus==2.0.0", "looptime", "pytest-asyncio", "pytest-codspeed"),
        arguments=("tests",),
        without=("janus",),
        quick=True,
    ),
    Project(
        name="aiofiles",
        version="25.1.0",
        source=Sdist("aiofiles"),
        requirements=("aiofiles==25.1.0", "looptime", "pytest-asyncio"),
        arguments=("tests",),
        without=("src",),
        quick=True,
    ),
    Project(
        name="looptime",
        version="0.9",
        source=Sdist("looptime"),
        requirements=("looptime==0.9", "async-timeout", "pytest-asyncio", "pytest-mock"),
        arguments=("tests",),
        without=("looptime",),
        quick=True,
    ),
    Project(
        name="nest_asyncio",
        version="1.6.0",
        source=Sdist("nest_asyncio"),
        requirements=("nest_asyncio==1.6.0",),
        arguments=("tests/nest_test.py",),
        quick=True,
    ),
    Project(
        name="pytest-asyncio",
        version="1.5.0",
        source=Sdist("pytest-asyncio"),
        requirements=("pytest-asyncio==1.5.0", "hypothesis"),
        arguments=("tests",),
        without=("pytest_asyncio",),
    ),
    Project(
        name="redis",
        version="8.1.0",
        source=Sdist("redis"),
        requirements=(
            "redis==8.1.0",
            "PyJWT",
            "aiohttp",
            "cryptography",
            "numpy",
            "pybreaker",
            "pyopenssl",
            "pytest-asyncio",
            "requests",
        ),
        arguments=(
            *("--redis-url", "redis://127.0.0.1:{redis.port}/0"),
            # What needs modules of the server, a cluster, TLS or services of others.
            *("-m", "not redismod and not onlycluster and not ssl and not cp_integration"),
            "tests/test_asyncio",
        ),
        left_out={
            "tests/test_asyncio/test_credentials.py": "is about another company's service",
            "tests/test_asyncio/test_sentinel.py::*": "needs sentinels, and waits for them",
        },
        without=("redis",),
        services=("redis",),
    ),
    Project(
        name="asyncpg",
        version="0.32.0",
        source=Sdist("asyncpg"),
        requirements=("asyncpg==0.32.0", "distro"),
        arguments=("tests",),
        without=("asyncpg",),
        environment={
            "PGHOST": "127.0.0.1",
            "PGPORT": "{postgresql.port}",
            "PGUSER": "tester",
            "PGDATABASE": "postgres",
        },
        services=("postgresql",),
    ),
    Project(
        name="tornado",
        version="6.6.1",
        source=None,
        requirements=("tornado==6.6.1", "pycares"),
        arguments=("-p", "quiet_tornado", "--pyargs", "tornado.test"),
    ),
    Project(
        name="distributed",
        version="2024.12.1",
        source=Debian("dask.distributed", "trixie", "+ds-1"),
        requirements=("distributed==2024.12.1", "numpy"),
        arguments=(
            # Of the plugin that repeats tests, whose repeating nobody wants here.
            *("-W", "ignore::pytest.PytestUnknownMarkWarning"),
            "distributed/comm/tests",
            *(
                f"distributed/tests/test_{name}.py"
                for name in (
                    "asyncio",
                    "asyncprocess",
                    "batched",
                    "core",
                    "events",
                    "locks",
                    "nanny",
                    "pubsub",
                    "queues",
                    "semaphore",
                    "utils",
                    "utils_comm",
                    "utils_test",
                    "variable",
                    "worker",
                )
            ),
        ),
        children=True,
        limit=120,
    ),
)
