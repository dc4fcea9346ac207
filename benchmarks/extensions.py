"""Builds the peers that are written in C, when they are first needed and when they have changed."""

import os
import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
SOURCES = HERE / "peers"
BUILD = HERE / ".build" / f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"

# What each extension is linked with.
_LIBRARIES = {"bench_libev": ["-lev"], "bench_floor": []}
_FLAGS = ["-O3", "-DNDEBUG", "-fPIC", "-shared", "-fno-strict-aliasing", "-Wall"]
_HINT = {"bench_libev": "; is libev's development package (libev-dev) installed?"}


def load_extension(name: str) -> ModuleType:
    """Import the extension called `name`; raises ImportError if it cannot be built."""
    path = _built(name)
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _built(name: str) -> Path:
    """The path of the extension, built anew if its source is newer."""
    source = SOURCES / f"{name.removeprefix('bench_')}.c"
    target = BUILD / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        _build(name, source, target)
    return target


def _build(name: str, source: Path, target: Path) -> None:
    """Compile; the target appears whole or not at all."""
    BUILD.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    include = sysconfig.get_path("include")
    compiler = os.environ.get("CC", "cc").split()
    command = [*compiler, *_FLAGS, f"-I{include}", str(source), "-o", str(unfinished)]
    try:
        done = subprocess.run(command + _LIBRARIES[name], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ImportError(f"no C compiler ({compiler[0]})") from error
    if done.returncode != 0:
        first = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise ImportError(f"cannot build {name}: {first}{_HINT.get(name, '')}")
    unfinished.rename(target)
