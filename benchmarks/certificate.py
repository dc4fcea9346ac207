"""A certificate for the TLS server: self-signed, and made when it is first needed."""

import os
import ssl
import subprocess

from benchmarks.extensions import BUILD
from benchmarks.outcomes import Unavailable

_PATH = BUILD / "certificate.pem"
_REQUEST = [
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    *("-nodes", "-days", "36500", "-subj", "/CN=localhost", "-keyout", "-", "-out", "-"),
]


def server_context() -> ssl.SSLContext:
    """The context of a server with the certificate."""
    if not _PATH.exists():
        _make()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_PATH)
    return context


def _make() -> None:
    """Write the key and the certificate; the file appears whole or not at all."""
    try:
        done = subprocess.run(_REQUEST, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"no certificate without the program openssl ({error})") from None
    BUILD.mkdir(parents=True, exist_ok=True)
    unfinished = _PATH.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(done.stdout)
    unfinished.chmod(0o600)
    unfinished.rename(_PATH)
