"""A web UI in a process of its own."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def served(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[tuple]:
    """Serve the UI in a folder; yield its address, its process and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "ui.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, env=environment, stdout=out, stderr=out
        )
    try:
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid), log
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait(20)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2):
            return True
    except OSError:
        return False


def wait_until(ready: Callable[[], object], process: psutil.Process, log: Path) -> None:
    """Wait for the server as long as it lives: machines differ in speed."""
    while not ready():
        assert process.is_running() and process.status() != psutil.STATUS_ZOMBIE, log.read_text()
        time.sleep(0.2)
