"""Whether a worker would fit what the sweep's process would: versions and code, held together."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from mmm_demo.fits.environment import PACKAGES, environment

PACKAGE, CODE = "mmm-demo", "mmm-demo's code"
# Kept the same; processors may differ, and with them the last digits of a value.
HELD = ("python", "arithmetic", *PACKAGES)


@cache
def versions() -> dict[str, str]:
    """Return what this process fits with, as it was when it was first asked.

    The version alone does not tell two states of a work tree apart, so the code is hashed as well.
    """
    here = environment()
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    ours = {PACKAGE: metadata.version(PACKAGE), CODE: digest.hexdigest()[:12]}
    return ours | {name: here[name] for name in HELD}


def require_same(asked: Mapping[str, str]) -> None:
    """Refuse to fit for a process that would fit something else.

    Parameters
    ----------
    asked
        Versions of that process.

    Raises
    ------
    RuntimeError
        With both versions of each package that differs.
    """
    here = versions()
    names = sorted(set(asked) | set(here))
    other = [
        f"{name} {here.get(name, 'none')} instead of {asked.get(name, 'none')}"
        for name in names
        if here.get(name) != asked.get(name)
    ]
    if other:
        raise RuntimeError(
            f"a worker on {platform.node()} would fit something else: it has {', '.join(other)}; "
            "bring it to the same state (git checkout, uv sync) and start it anew"
        )
