"""A scratch copy of the project, so that benchmarks leave no run behind, and processes measured."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("MLproject", "pyproject.toml", "python_env.yaml", "experiments", "src")


@contextmanager
def scratch_project() -> Iterator[Path]:
    """Yield a copy of the project with a store of its own; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mmm_benchmark_") as name:
        folder = Path(name)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        yield folder


@dataclass(frozen=True)
class Measured:
    """One finished process: wall and CPU seconds, peak memory in MB, and what it printed."""

    wall: float
    cpu: float
    peak_mb: float
    code: int
    printed: str

    def result(self) -> dict:
        """Return the JSON that the process printed on its last line."""
        return json.loads(self.printed.strip().splitlines()[-1])


def measure(command: list[str], folder: Path, **environment: str) -> Measured:
    """Run a command to its end, as a process of its own.

    The memory is that of the largest single process in it.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=clean | environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        out.seek(0)
        printed = out.read()
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"{' '.join(command)} ended with code {code}:\n{printed}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code, printed)
