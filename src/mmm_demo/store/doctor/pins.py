"""Pins that disagree with the project's dependencies, or with what is installed."""

import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mmm_demo.settings.yaml_file import read_mapping
from mmm_demo.store.doctor.finding import Finding

PROJECT, LOCK, ENVIRONMENT = "pyproject.toml", "requirements.lock", "python_env.yaml"
FREEZE = "uv run .ci/freeze"
SHOWN = 3


def pin_findings(root: Path) -> list[Finding]:
    """Return where pins, project and installed packages disagree.

    Parameters
    ----------
    root
        Folder with pyproject.toml, requirements.lock and python_env.yaml.

    Raises
    ------
    OSError, ValueError
        When one of the three is missing or cannot be read.
    """
    pins = _requirements(root / ENVIRONMENT, _environment(root))
    lock = _requirements(root / LOCK, _lock_lines(root))
    direct = _requirements(root / PROJECT, _dependencies(root))
    faults = {
        (ENVIRONMENT, PROJECT, FREEZE): _outside(pins, direct),
        (LOCK, ENVIRONMENT, FREEZE): _unequal(lock, pins),
        ("installed packages", ENVIRONMENT, _install(root)): _not_installed(pins),
    }
    return [
        Finding(f"disagree with {other} ({_few(found)})", where, mend)
        if where == "installed packages"
        else Finding(f"is stale: disagrees with {other} ({_few(found)})", where, mend)
        for (where, other, mend), found in faults.items()
        if found
    ]


def _install(root: Path) -> str:
    """Return the command that brings the pins to where this process runs.

    The resolver is held to the pins, so `uv sync` brings just these; to the project's own
    environment, and to no other.
    """
    if Path(sys.prefix).resolve() == (root / ".venv").resolve():
        return "uv sync"
    return f"uv pip install --python {sys.executable} --requirement {LOCK}"


def _environment(root: Path) -> list[str]:
    content = read_mapping(root / ENVIRONMENT, "environment", str(root)).get("dependencies")
    if not isinstance(content, list) or not content:
        raise ValueError(f"{root / ENVIRONMENT} lists no dependencies; write it anew: {FREEZE}")
    return [str(item) for item in content]


def _lock_lines(root: Path) -> list[str]:
    lines = (root / LOCK).read_text("utf-8").splitlines()
    return [line.rstrip("\\ ") for line in lines if line and not line.startswith((" ", "#"))]


def _dependencies(root: Path) -> list[str]:
    content = tomllib.loads((root / PROJECT).read_text("utf-8"))
    return list(content.get("project", {}).get("dependencies", []))


def _requirements(path: Path, lines: Iterable[str]) -> dict[str, Requirement]:
    """Return requirements by name, those that are meant for this system."""
    try:
        read = [Requirement(line) for line in lines]
    except ValueError as error:  # InvalidRequirement is one
        raise ValueError(f"{path} names a requirement that is none: {error}") from None
    return {
        canonicalize_name(item.name): item
        for item in read
        if item.marker is None or item.marker.evaluate()
    }


def _version(pin: Requirement) -> str | None:
    """Return the version of a pin; None for a requirement that leaves it open."""
    exact = [item.version for item in pin.specifier if item.operator == "=="]
    return exact[0] if len(exact) == 1 else None


def _outside(pins: dict[str, Requirement], direct: dict[str, Requirement]) -> list[str]:
    found = []
    for name, wanted in direct.items():
        version = _version(pins[name]) if name in pins else None
        if version is None:
            found.append(f"{name} is not pinned")
        elif not wanted.specifier.contains(version, prereleases=True):
            found.append(f"{name} {version} is not {wanted.specifier}")
    return found


def _unequal(lock: dict[str, Requirement], pins: dict[str, Requirement]) -> list[str]:
    return [
        f"{name} {_version(lock[name]) if name in lock else 'none'} instead of {_version(pin)}"
        for name, pin in pins.items()
        if name not in lock or _version(lock[name]) != _version(pin)
    ]


def _not_installed(pins: dict[str, Requirement]) -> list[str]:
    found = []
    for name, pin in pins.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "none"
        if installed != _version(pin):
            found.append(f"{name} {installed} instead of {_version(pin)}")
    return found


def _few(faults: list[str]) -> str:
    more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return ", ".join(faults[:SHOWN]) + more
