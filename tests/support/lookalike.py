"""A small copy of the seven DT Mart files."""

import subprocess
from pathlib import Path

import pytest

from helpers import PROJECT, PYTHON

SCRIPT = PROJECT.parent / "shared" / "data" / "make_dtmart_lookalike.py"


def write_lookalike(folder: Path, rows: int = 10_000) -> Path:
    """Make a look-alike of the download once, or skip where its script is not at hand."""
    if not SCRIPT.is_file():
        pytest.skip(f"the DT Mart look-alike is made by {SCRIPT}, which is not here")
    if not folder.is_dir():
        command = [PYTHON, str(SCRIPT), str(folder), "--rows", str(rows)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder
