"""Builds what is written in C, when it is first needed and when it has changed."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
SOURCES = HERE / "peers"
BUILD = HERE / ".build" / f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"

# What each extension is linked with.
_LIBRARIES = {"bench_libev": ["-lev"], "bench_floor": [], "bench_floor_servers": []}
_FLAGS = ["-O3", "-DNDEBUG", "-fno-strict-aliasing", "-Wall"]
_HINT = {"bench_libev": "; is libev's development package (libev-dev) installed?"}


def load_extension(name: str) -> ModuleType:
    """Import the extension called `name`; raises ImportError if it cannot be built."""
    source = SOURCES / f"{name.removeprefix('bench_')}.c"
    target = BUILD / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    _update(target, source, ["-fPIC", "-shared", f"-I{include}"], _LIBRARIES[name])
    spec = spec_from_file_location(name, target)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(name: str) -> Path:
    """The path of the program called `name`; raises ImportError if it cannot be built."""
    target = BUILD / name
    _update(target, HERE / f"{name}.c", [], ["-ldl"])
    return target


def _update(target: Path, source: Path, flags: Sequence[str], libraries: Sequence[str]) -> None:
    """Compile if the source is newer; the target appears whole or not at all."""
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    compiler = os.environ.get("CC", "cc").split()
    command = [*compiler, *_FLAGS, *flags, str(source), "-o", str(unfinished), *libraries]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ImportError(f"no C compiler ({compiler[0]})") from error
    if done.returncode != 0:
        name = target.name.partition(".")[0]
        first = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise ImportError(f"cannot build {name}: {first}{_HINT.get(name, '')}")
    unfinished.rename(target)
