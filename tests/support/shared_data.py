"""Data that are no part of the project: the folder `shared` beside it, which not everybody has."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "data"
NOT_HERE = "no part of the project, and not here"


def shared_data(name: str) -> Path:
    """Return a file or folder of `shared/data`; where it is not, the test is skipped."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"shared/data/{name} is {NOT_HERE}")
    return path
