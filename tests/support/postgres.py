"""A PostgreSQL server for tests: real, on loopback, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "mmm"


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, from Debian's package or from the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = found[-1] if found else shutil.which("initdb")
    return Path(path).resolve().parent if path else None


needs_postgresql = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield the address of an empty database."""
    # Not pytest's own folder, which another user may not enter; the server refuses to be root.
    with tempfile.TemporaryDirectory(prefix="mmm_demo_postgresql_") as name:
        owner = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(name, user.pw_uid, user.pw_gid)
        data, port, bin_folder = Path(name) / "data", free_port(), programs()
        initdb = (bin_folder / "initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync")
        subprocess.run(initdb, check=True, capture_output=True, cwd=name, **owner)
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": name, "fsync": "off"}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        command = (bin_folder / "postgres", "-D", data, "-p", str(port), *words)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=name, **quiet, **owner) as server:
            try:
                _wait(port, server)
                yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)  # does not wait for open connections to end
                server.wait(30)


def _wait(port: int, server: subprocess.Popen) -> None:
    ready = (programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port))
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with code {server.returncode}")
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start within 30 s")
