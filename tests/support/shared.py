"""What all processes of one test run share: made once, by the first that asks, under a lock."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock


@dataclass(frozen=True)
class SharedFolders:
    """Folders in the run's own temporary folder, which every process of xdist sees."""

    base: Path

    def folder(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return a folder that `make` filled once in this run.

        What could not be made is not tried again: everyone who asks is told why.
        """
        folder, outcome = self.base / name, self.base / f"{name}.outcome"
        with self.lock(name):
            if not outcome.exists():
                outcome.write_text("the process that made it has died", encoding="utf-8")
                folder.mkdir()
                try:
                    make(folder)
                except BaseException:
                    outcome.write_text(traceback.format_exc(), encoding="utf-8")
                    raise
                outcome.write_text("", encoding="utf-8")
        if fault := outcome.read_text("utf-8"):
            pytest.fail(f"{name}, which all tests share, could not be made: {fault}", pytrace=False)
        return folder

    def lock(self, name: str) -> FileLock:
        """Return a lock that one process of the run holds at a time."""
        return FileLock(self.base / f"{name}.lock")
