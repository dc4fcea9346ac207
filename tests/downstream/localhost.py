"""Gives the suites a localhost with both its addresses, where the system has but one of them."""

import contextlib
import functools
import os
import shutil
import socket
import subprocess

# In a mount namespace of its own, so that the system's file stays as it is.
SCRIPT = """\
set -e
hosts=$(mktemp)
cat /etc/hosts > "$hosts"
echo "::1 localhost" >> "$hosts"
mount --bind "$hosts" /etc/hosts
rm "$hosts"
exec "$@"
"""


@functools.cache
def prefix() -> tuple[str, ...]:
    """What to put before a command for localhost to be ::1, too; nothing if that cannot be done."""
    if resolves() or not has_ipv6() or os.geteuid() != 0 or not shutil.which("unshare"):
        return ()
    command = ("unshare", "--mount", "sh", "-c", SCRIPT, "sh")
    possible = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if possible else ()


def resolves() -> bool:
    with contextlib.suppress(OSError):
        return bool(socket.getaddrinfo("localhost", None, socket.AF_INET6))
    return False


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False
