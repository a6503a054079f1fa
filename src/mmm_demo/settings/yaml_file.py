"""YAML files: read safely, checked whole, all faults reported together."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from mmm_demo.settings.kinds import SLUG


class ConfigError(ValueError):
    """What a file asks for that cannot be done as written."""


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
        text = path.read_text(encoding="utf-8-sig")
        content = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (is a SafeLoader)
        written = yaml.compose(text, Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # 2026-02-30 is a date
        raise ConfigError(f"{path} is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping, got {type(content).__name__}")
    return _Written(content, written)


class _Written(dict[str, Any]):
    """Content of a file, with what is written there: YAML reads `on` as true."""

    def __init__(self, content: Mapping[str, Any], node: yaml.Node) -> None:
        super().__init__(content)
        self.node = node


def dump(content: Mapping[str, Any]) -> str:
    """Return YAML that `read_mapping` reads back, with names in quotes where they need them."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def build[T](of: type[T], content: object, where: str, whole: str = "the file") -> T:
    """Build a validated value from plain ones, reporting all faults together.

    Parameters
    ----------
    of
        Dataclass to build.
    content
        Plain values.
    where
        Name of the source, for the message.
    whole
        Name of the content where a fault is of no single setting.

    Raises
    ------
    ConfigError
        With one line per fault: field, reason, value.
    """
    adapter = TypeAdapter(of)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        faults = [
            (_place(item) or whole, _advice(item, content, adapter) or _reason(item, of))
            for item in _causes(error.errors())
        ]
        lines = "\n".join(f"  {place}: {reason}" for place, reason in faults)
        raise ConfigError(f"{where} is not valid:\n{lines}") from None


def _causes(items: Sequence[Any]) -> list[Any]:
    """Leave out lists that are too short only because their items are at fault."""
    places = [item["loc"] for item in items]
    return [
        item
        for item in items
        if item["type"] != "too_short"
        or not any(
            len(place) > len(item["loc"]) and place[: len(item["loc"])] == item["loc"]
            for place in places
        )
    ]


def _place(item: Mapping[str, Any]) -> str:
    tags = {"word", "weights"}  # of a union's members, which no file names
    return ".".join(str(part) for part in item["loc"] if part not in tags)


def _advice(item: Mapping[str, Any], content: object, adapter: TypeAdapter[Any]) -> str:
    """Return what to write instead, after trying it; empty where nothing is known to help."""
    place, given = item["loc"], item["input"]
    if item["type"] == "tuple_type" and isinstance(given, str):
        names = [name.strip() for name in given.split(",") if name.strip()]
        if names and _mends(content, place, names, adapter):
            return f"write {_inline(names)}: a list, got {given!r}"
    if given is None and item["type"] in ("tuple_type", "dataclass_type", "dict_type"):
        return "holds nothing; fill it, or remove the line"
    if item["type"] != "string_type" or not isinstance(content, _Written):
        return ""
    if (text := _text_at(content.node, place, given)) is None:
        return ""
    if not text:
        return "holds nothing; give a name, or remove the line"
    if place[-1] != "[key]" and not _mends(content, place, text, adapter):
        return ""
    kinds = {bool: str(given).lower(), type(None): "nothing", dict: "a mapping, for its colon"}
    kind = kinds.get(type(given), "a date" if hasattr(given, "year") else "a number")
    return f"YAML reads {text} as {kind}; put it in quotes: {_quoted(text)}"


def _mends(content: object, place: Sequence[Any], value: object, adapter: TypeAdapter[Any]) -> bool:
    """Return whether another value leaves no fault at its place, or below it."""
    other = deepcopy(dict(content)) if isinstance(content, Mapping) else content
    inner: Any = other
    try:
        for part in place[:-1]:
            inner = inner[part]
        inner[place[-1]] = value
    except (KeyError, IndexError, TypeError):  # below a tag, or in a key
        return False
    try:
        adapter.validate_python(other)
    except ValidationError as error:
        return not any(item["loc"][: len(place)] == place for item in error.errors())
    return True


def _text_at(node: yaml.Node, place: Sequence[Any], given: object) -> str | None:
    """Return what a file says at a place; None where it is not to be found, or in quotes."""
    key = place[-1] == "[key]"
    for part in place[:-2] if key else place:
        if isinstance(node, yaml.MappingNode):
            found = [inner for name, inner in node.value if _value(name) == part]
        else:
            found = node.value[part : part + 1] if isinstance(part, int) else []
        if len(found) != 1 or isinstance(node, yaml.ScalarNode):
            return None
        node = found[0]
    if key and isinstance(node, yaml.MappingNode):
        texts = [name.value for name, _ in node.value if _value(name) is given]
        return texts[0] if len(texts) == 1 else None
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        (name, inner), *_ = node.value
        both = isinstance(name, yaml.ScalarNode) and isinstance(inner, yaml.ScalarNode)
        return f"{name.value}: {inner.value}".strip() if both else None
    # Settings of the command line may have taken the place of what is written.
    return node.value if isinstance(node, yaml.ScalarNode) and _value(node) == given else None


def _value(node: yaml.Node) -> object:
    return _UniqueKeyLoader("").construct_object(node, deep=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _inline(names: list[str]) -> str:
    text = yaml.dump(names, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=1e9)
    return text.strip()


def _reason(item: Mapping[str, Any], of: type) -> str:
    if item["type"] == "unexpected_keyword_argument":
        return f"unknown key; valid: {', '.join(_valid_keys(of, item['loc'][:-1]))}"
    if item["type"] == "missing":
        return "missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return message
    if item["type"] == "string_pattern_mismatch" and item["ctx"]["pattern"] == SLUG:
        message += " (lowercase letters, digits and _, a letter first)"
    return f"{message}, got {item['input']!r}"


def _valid_keys(of: Any, path: tuple[str | int, ...]) -> list[str]:
    """Return the settings that a type has at a place in its content."""
    if is_dataclass(of):
        inner = get_type_hints(of)
        return _valid_keys(inner[str(path[0])], path[1:]) if path else sorted(inner)
    below = path[get_origin(of) in (dict, tuple) :]  # which have items; a union has members
    return next(filter(None, (_valid_keys(part, below) for part in get_args(of))), [])


class _UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, refusing a key that is given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        merge = "tag:yaml.org,2002:merge"  # `<<`, which names other keys
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"key given twice: {', '.join(twice)}{node.start_mark}")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what the loader would not read as text."""


# YAML 1.1, which PyYAML reads, takes 1e6 for text.
for _reader in (_UniqueKeyLoader, _Dumper):
    _reader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
        list("-+0123456789"),
    )
