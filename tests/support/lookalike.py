"""A small copy of the seven DT Mart files."""

import subprocess
from pathlib import Path

from helpers import PYTHON
from shared_data import shared_data


def write_lookalike(folder: Path, rows: int = 10_000) -> Path:
    """Make a look-alike of the download once."""
    script = shared_data("make_dtmart_lookalike.py")
    if not folder.is_dir():
        command = [PYTHON, str(script), str(folder), "--rows", str(rows)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder
