"""YAML files: read safely, checked whole, all faults reported together."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from mmm_demo.config import ConfigError


def read_mapping(path: str | Path, what: str, home: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Parameters
    ----------
    path
        The file.
    what, home
        Kind of the file, e.g. `experiment`, and the folder that usually has them, for the message.

    Raises
    ------
    FileNotFoundError
        When there is no such file; names the ones that are there.
    ConfigError
        When it is not YAML or not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        folders = {path.parent, Path(home)} - {Path()}  # the project's own is no place
        found = sorted(file for folder in folders for file in folder.glob("*.yaml"))
        files = ", ".join(map(str, found)) or "none here; go to the project's folder"
        raise FileNotFoundError(f"no {what} file {path}; files: {files}")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (is a SafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # 2026-02-30 is a date
        raise ConfigError(f"{path} is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping, got {type(content).__name__}")
    return content


def build[T](
    adapter: TypeAdapter[T],
    content: object,
    where: str,
    sections: Mapping[tuple[str, ...], type],
) -> T:
    """Build a validated value from plain ones, reporting all faults together.

    Parameters
    ----------
    adapter
        What to build.
    content
        Plain values.
    where
        Name of the source, for the message.
    sections
        Dataclasses by their place in the content, to name the valid keys; `*` is any item.

    Raises
    ------
    ConfigError
        With one line per fault: field, reason, value.
    """
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault_line(item, sections)}" for item in error.errors())
        raise ConfigError(f"{where} is not valid:\n{faults}") from None


def _fault_line(item: Mapping[str, Any], sections: Mapping[tuple[str, ...], type]) -> str:
    tags = {"word", "weights"}  # of a union's members, which no file names
    path = ".".join(str(part) for part in item["loc"] if part not in tags) or "the file"
    if item["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown key; valid: {', '.join(_valid_keys(item['loc'][:-1], sections))}"
    if item["type"] == "missing":
        return f"{path}: missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{path}: {message}"
    return f"{path}: {message}, got {item['input']!r}"


def _valid_keys(path: tuple[str | int, ...], sections: Mapping[tuple[str, ...], type]) -> list[str]:
    for place, section in sections.items():
        if len(place) == len(path) and all(a in ("*", b) for a, b in zip(place, path, strict=True)):
            return sorted(section.__dataclass_fields__)
    return []


class _UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, refusing a key that is given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        merge = "tag:yaml.org,2002:merge"  # `<<`, which names other keys
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"key given twice: {', '.join(twice)}{node.start_mark}")
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e6 for text.
_UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
