"""The virtual environments of the suites, and the wheel of the everloop under test."""

import contextlib
import fcntl
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .sources import run

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints.txt")

# What the wheel is made of, and what an earlier build may have left among it.
SOURCES = ("src", "tools", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
BUILT = ("*.so", "*.egg-info", "__pycache__")

BUILT_WITHIN = 900

# What each environment has besides what its project asks for.
RUNNERS = ("pytest", "pytest-timeout")

PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def digest(texts: Iterable[str | bytes]) -> str:
    """A short name of what the texts say."""
    sum_ = hashlib.sha256()
    for text in texts:
        data = text.encode() if isinstance(text, str) else text
        sum_.update(b"%d:%b" % (len(data), data))
    return sum_.hexdigest()[:16]


def python_tag() -> str:
    return f"{sys.implementation.cache_tag}-{digest([sys.version, sys.prefix])[:6]}"


@contextlib.contextmanager
def locked(path: Path):
    """Another run that uses the same cache waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wheel(cache: Path) -> Path:
    """The wheel of the checkout, which is built unless one of the same sources is there."""
    with tempfile.TemporaryDirectory(prefix="everloop-wheel-") as name:
        copy = Path(name)
        for each in SOURCES:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, copy / each, ignore=shutil.ignore_patterns(*BUILT))
            else:
                shutil.copy(source, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        names = (str(path.relative_to(copy)) for path in files)
        sources = digest([*names, *(path.read_bytes() for path in files)])
        directory = cache / "wheels" / f"{python_tag()}-{sources}"
        with locked(cache / "wheels" / "lock"):
            if not (found := next(directory.glob("*.whl"), None)):
                print("building everloop's wheel", flush=True)
                command = (sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", directory)
                run([*command, copy], timeout=BUILT_WITHIN)
                found = next(directory.glob("*.whl"))
    return found


def python(name: str, requirements: Iterable[str], cache: Path) -> Path:
    """The interpreter of an environment that has the requirements, made if need be."""
    directory = cache / "environments" / python_tag() / name
    interpreter, stamp = directory / "bin" / "python", directory / "made-for"
    wanted = (*RUNNERS, *requirements)
    purpose = digest([*wanted, CONSTRAINTS.read_text()])
    if not stamp.exists() or stamp.read_text() != purpose:
        run([sys.executable, "-m", "venv", "--clear", directory])
        command = (interpreter, *PIP, "install", "--constraint", CONSTRAINTS)
        run([*command, *wanted], timeout=BUILT_WITHIN)
        stamp.write_text(purpose)
    return interpreter


def install(interpreter: Path, everloop: Path) -> None:
    """Have the environment use that wheel of everloop."""
    stamp = interpreter.parents[1] / "everloop"
    if not stamp.exists() or stamp.read_text() != str(everloop):
        run([interpreter, *PIP, "install", "--no-deps", "--force-reinstall", everloop])
        stamp.write_text(str(everloop))
