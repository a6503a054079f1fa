"""YAML files: read whole or refused with file, place and reason."""

from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from mmm_demo.config import ConfigError
from mmm_demo.limits import Count
from mmm_demo.priors import STRICT
from mmm_demo.yaml_file import build, read_mapping


@dataclass(frozen=True, config=STRICT)
class Part:
    size: Count


@dataclass(frozen=True, config=STRICT)
class Whole:
    name: str
    parts: dict[str, Part]
    rows: tuple[Part, ...] = ()


SECTIONS = MappingProxyType({(): Whole, ("parts", "*"): Part, ("rows", "*"): Part})


def read(folder: Path, text: str) -> dict:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path, "plan", "plans")


def faults(content: object) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        build(TypeAdapter(Whole), content, "some.yaml", SECTIONS)
    first, *lines = str(refused.value).splitlines()
    assert first == "some.yaml is not valid:"
    return [line.removeprefix("  ") for line in lines]


def test_a_mapping_is_read(tmp_path):
    assert read(tmp_path, "a: 1\nb: {c: [x, 2.5]}\n") == {"a": 1, "b": {"c": ["x", 2.5]}}


def test_a_merge_is_no_repetition(tmp_path):
    merged = read(tmp_path, "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n")
    assert merged["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: 2\na: 3\n", "key given twice: a"),
        ("x:\n  - {b: 1, c: 2, b: 3}\n", "key given twice: b"),
        ("x:\n  deep:\n    k: 1\n    k: 1\n", "key given twice: k"),
        ("- 1\n", "must hold a mapping, got list"),
        ("just text\n", "must hold a mapping, got str"),
        ("", "must hold a mapping, got NoneType"),
        ("a: [1\n", "is not readable YAML"),
        ("a: 1\n---\nb: 2\n", "is not readable YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "is not readable YAML"),
        ("? [a, b]\n: 1\n", "is not readable YAML"),
        ("start: 2026-02-30\n", "is not readable YAML"),  # looks like a date and is none
        ("weeks: !!int many\n", "is not readable YAML"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_with_file_and_reason(tmp_path, text, reason):
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    assert "some.yaml" in str(refused.value)
    assert reason in str(refused.value)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match=r"some\.yaml is not readable YAML"):
        read_mapping(path, "plan", "plans")


def test_the_line_of_a_key_given_twice_is_named(tmp_path):
    with pytest.raises(ConfigError, match="line 3"):
        read(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\n")


def test_a_missing_file_names_the_ones_beside_it_and_at_home(tmp_path, monkeypatch):
    for name in ("plans/spring.yaml", "mine/autumn.yaml", "mine/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a: 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        read_mapping("mine/summer.yaml", "plan", "plans")
    text = str(missing.value)
    assert text.startswith("no plan file mine/summer.yaml; files: ")
    assert "plans/spring.yaml" in text
    assert "mine/autumn.yaml" in text
    assert "note.txt" not in text


def test_a_missing_file_where_there_are_none_says_where_to_go(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("a: 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="none here; go to the project's folder"):
        read_mapping("spring.yaml", "plan", "plans")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no plan file"):
        read_mapping(tmp_path, "plan", "plans")


def test_valid_content_is_built():
    whole = build(TypeAdapter(Whole), {"name": "a", "parts": {"p": {"size": 2}}}, "x", SECTIONS)
    assert whole == Whole("a", {"p": Part(2)})


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"parts": {}}, "name: missing"),
        ({"name": "a", "parts": {}, "nam": 1}, "nam: unknown key; valid: name, parts, rows"),
        ({"name": "a", "parts": {"p": {"size": 1, "siz": 2}}}, "parts.p.siz: unknown key; valid: "),
        ({"name": "a", "parts": {"p": {}}}, "parts.p.size: missing"),
        ({"name": "a", "parts": {}, "rows": [{"size": 1, "x": 2}]}, "rows.0.x: unknown key; valid"),
        ({"name": "a", "parts": {"p": {"size": 2.0}}}, "parts.p.size: Input should be a valid int"),
        ({"name": 7, "parts": {}}, "name: Input should be a valid string, got 7"),
        (["a"], "the file: "),
        (None, "the file: "),
    ],
)
def test_one_fault_is_one_line_with_its_place(content, line):
    (found,) = faults(content)
    assert found.startswith(line)


def test_all_faults_are_reported_together():
    content = {"parts": {"p": {"size": "1"}, "q": {"sise": 1}}, "more": 0}
    places = {line.partition(": ")[0] for line in faults(content)}
    assert places == {"name", "parts.p.size", "parts.q.size", "parts.q.sise", "more"}
