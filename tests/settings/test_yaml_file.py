"""YAML files: read whole or refused with file, place and reason."""

from dataclasses import field
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from helpers import PROJECT
from mmm_demo.settings.experiment import ConfigError
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import Count
from mmm_demo.settings.priors import STRICT
from mmm_demo.settings.yaml_file import build, dump, read_mapping


@dataclass(frozen=True, config=STRICT)
class Part:
    size: Count


@dataclass(frozen=True, config=STRICT)
class Whole:
    name: str
    parts: dict[str, Part]
    rows: tuple[Part, ...] = ()


def read(folder: Path, text: str) -> dict:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path, "plan", "plans")


def faults(content: object) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        build(Whole, content, "some.yaml")
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
    whole = build(Whole, {"name": "a", "parts": {"p": {"size": 2}}}, "x")
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


# --- names that YAML reads as something else ----------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Named:
    name: str
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    by_name: dict[str, tuple[str, ...]] = field(default_factory=dict)


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        build(Named, read(folder, text), "some.yaml")
    return [line.removeprefix("  ") for line in str(refused.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("on", "true"),
        ("No", "false"),
        ("y: z", "a mapping, for its colon"),
        ("TV: spend (EUR)", "a mapping, for its colon"),
        ("2024", "a number"),
        ("010", "a number"),
        ("1e6", "a number"),
        ("1_000", "a number"),
        ("12:30", "a number"),
        (".5", "a number"),
        ("2024-01-01", "a date"),
        ("null", "nothing"),
        ("~", "nothing"),
    ],
)
def test_a_name_that_needs_quotes_is_shown_as_written_and_works_with_them(
    tmp_path: Path, written: str, kind: str
) -> None:
    text = f"name: a\nnames:\n- tv\n- {written}\n"
    (line,) = told(tmp_path, text)
    assert line == f"names.1: YAML reads {written} as {kind}; put it in quotes: '{written}'"
    mended = read(tmp_path, text.replace(f"- {written}", f"- '{written}'"))
    named = build(Named, mended, "some.yaml")
    assert named.names == ("tv", written)
    assert read(tmp_path, dump({"names": [written]})) == {"names": [written]}


def test_a_list_at_fault_item_by_item_is_not_too_short_as_well(tmp_path: Path) -> None:
    lines = told(tmp_path, "name: a\nnames: [1, 2]\n")
    assert [line.partition(":")[0] for line in lines] == ["names.0", "names.1"]
    (line,) = told(tmp_path, "name: a\nnames: []\n")
    assert "at least 1 item" in line


def test_names_in_one_text_are_shown_as_the_list_to_write(tmp_path: Path) -> None:
    (line,) = told(tmp_path, "name: a\nnames: tv, on, 1e6\n")
    assert line == "names: write [tv, 'on', '1e6']: a list, got 'tv, on, 1e6'"
    (line,) = told(tmp_path, "name: a\nnames: [b]\nby_name: {c: d}\n")
    assert line == "by_name.c: write [d]: a list, got 'd'"


def test_a_key_that_needs_quotes_is_named(tmp_path: Path) -> None:
    (line,) = told(tmp_path, "name: a\nnames: [b]\nby_name: {off: [c]}\n")
    assert line.endswith("YAML reads off as false; put it in quotes: 'off'")


def test_nothing_where_something_is_due_is_said(tmp_path: Path) -> None:
    assert told(tmp_path, "name:\nnames:\n- a\n-\n") == [
        "name: holds nothing; give a name, or remove the line",
        "names.1: holds nothing; give a name, or remove the line",
    ]
    assert told(tmp_path, "name: a\nnames:\n") == [
        "names: holds nothing; fill it, or remove the line"
    ]


def test_quotes_are_not_offered_where_they_do_not_help(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("name: 2024\nmarket: no\nmodel: {channel_columns: [tv]}\n")
    with pytest.raises(ConfigError) as refused:
        load_experiment(path)
    name, market = str(refused.value).splitlines()[1:]
    assert "quotes" not in name and "got 2024" in name
    assert market == "  market: YAML reads no as false; put it in quotes: 'no'"


CASES = PROJECT / "tests" / "cases"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("yaml_on", ["model.channel_columns.2: YAML reads on as true; put it in quotes: 'on'"]),
        (
            "numeric_names",
            [
                f"model.channel_columns.{place}: YAML reads {place + 1} as a number; "
                f"put it in quotes: '{place + 1}'"
                for place in range(3)
            ],
        ),
        (
            "channel_string",
            ["model.channel_columns: write [tv, search, social]: a list, got 'tv, search, social'"],
        ),
    ],
)
def test_an_experiment_file_of_a_user_gets_one_fault_for_each_cause(
    name: str, lines: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        load_experiment(CASES / f"{name}.yaml")
    assert [line.strip() for line in str(refused.value).splitlines()[1:]] == lines
