"""Fetches the pinned sources that carry the projects' tests, and keeps them."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FETCHED_WITHIN = 300


class Unavailable(Exception):
    """What a suite needs is not to be had here; says why."""


def run(command: Iterable[str | Path], **options) -> str:
    """Run a command; returns what it printed, raises Unavailable if it fails."""
    options = {"timeout": FETCHED_WITHIN} | options
    try:
        process = subprocess.run(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if process.returncode != 0:
        words = " ".join(map(str, [*command][:4]))
        raise Unavailable(f"{words} ... failed: {process.stdout[-1500:]}")
    return process.stdout


@dataclass(frozen=True)
class Sdist:
    """A release's source archive in the package index."""

    name: str

    def fetch(self, version: str, cache: Path) -> Path:
        """The archive, in the cache."""
        directory = cache / "sdists" / f"{self.name}-{version}"
        if found := only_archive(directory):
            return found
        directory.mkdir(parents=True, exist_ok=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download")
        options = ("--quiet", "--no-deps", "--no-binary", self.name, "--dest", directory)
        run([*pip, *options, f"{self.name}=={version}"])
        return only_archive(directory) or unavailable(f"{self.name} {version} has no sdist")


@dataclass(frozen=True)
class Debian:
    """The upstream archive of a Debian source package, for projects whose sdists have no tests."""

    package: str
    suite: str
    revision: str

    def fetch(self, version: str, cache: Path) -> Path:
        """The archive, in the cache."""
        directory = cache / "debian" / f"{self.package}-{version}{self.revision}"
        if found := only_archive(directory):
            return found
        directory.mkdir(parents=True, exist_ok=True)
        configuration = configure_apt(cache / "apt", self.suite)
        environment = os.environ | {"APT_CONFIG": str(configuration)}
        wanted = f"{self.package}={version}{self.revision}"
        # The archive alone: Debian's own changes are not wanted.
        command = ("apt-get", "--quiet", "--quiet", "source", "--download-only", "--tar-only")
        run([*command, wanted], cwd=directory, env=environment)
        return only_archive(directory) or unavailable(f"Debian has no {wanted}")


def unavailable(reason: str):
    raise Unavailable(reason)


def only_archive(directory: Path) -> Path | None:
    return next(directory.glob("*.tar.*"), None)


def configure_apt(directory: Path, suite: str) -> Path:
    """A configuration of apt's own kept apart, with the sources of a suite of the system's mirror."""
    configuration = directory / f"{suite}.conf"
    lists, parts = directory / suite / "lists", directory / suite / "parts"
    if configuration.exists():
        return configuration
    for path in (lists / "partial", parts, directory / suite / "archives/partial"):
        path.mkdir(parents=True, exist_ok=True)
    # It stays outside the project's tree, since it has the mirror's name.
    (parts / "source.sources").write_text(deb_src(suite))
    text = (
        'Dir::Etc::sourcelist "/dev/null";\n'
        f'Dir::Etc::sourceparts "{parts}";\n'
        f'Dir::State::lists "{lists}";\n'
        f'Dir::Cache "{directory / suite}";\n'
        # The cache may be in a directory of root's.
        'APT::Sandbox::User "root";\n'
    )
    unfinished = configuration.with_suffix(".part")
    unfinished.write_text(text)
    environment = os.environ | {"APT_CONFIG": str(unfinished)}
    run(["apt-get", "--quiet", "--quiet", "update"], env=environment)
    unfinished.rename(configuration)
    return configuration


def deb_src(suite: str) -> str:
    """An entry for the sources of a suite, at the mirror that the system has its packages from."""
    places = (Path("/etc/apt/sources.list.d"), Path("/etc/apt"))
    kinds = ("*.list", "*.sources")
    for path in (path for place in places for kind in kinds for path in place.glob(kind)):
        for stanza in stanzas(path):
            if "main" in stanza["Components"].split() and "/debian" in stanza["URIs"]:
                signed = f"Signed-By: {stanza['Signed-By']}\n" if stanza.get("Signed-By") else ""
                uris = stanza["URIs"]
                return f"Types: deb-src\nURIs: {uris}\nSuites: {suite}\nComponents: main\n{signed}"
    raise Unavailable("this system does not have its packages from a mirror of Debian")


def stanzas(path: Path) -> list[dict[str, str]]:
    """The entries of a file of apt's sources, in either of its two formats."""
    text = path.read_text()
    if path.suffix == ".sources":
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
        found = [dict(re.findall(r"^([\w-]+): *(.*)$", part, re.M)) for part in text.split("\n\n")]
    else:
        line = re.compile(r"^deb +(?:\[([^]]*)\] +)?(\S+) +(\S+) +(.*)$", re.MULTILINE)
        found = [
            {"URIs": uri, "Components": components} | signature(options)
            for options, uri, _, components in line.findall(text)
        ]
    return [each for each in found if each.keys() >= {"URIs", "Components"}]


def signature(options: str) -> dict[str, str]:
    signed = re.search(r"signed-by=(\S+)", options)
    return {"Signed-By": signed[1]} if signed else {}


def unpack(archive: Path, directory: Path) -> Path:
    """Unpack an archive into a directory; returns its only top-level directory."""
    with tarfile.open(archive) as file:
        file.extractall(directory, filter="data")
    (top,) = directory.iterdir()
    return top
