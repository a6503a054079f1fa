"""README, docs/ and what else is read: held to the code, so that no page rots."""

import ast
import pydoc
import re
import runpy
import shlex
import unicodedata
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml

from helpers import PROJECT
from mmm_demo.cli.verbs import cli

DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.glob("*.md"), *(PROJECT / "notebooks").glob("*.md")])
TEXTS = {str(path.relative_to(PROJECT)): path.read_text("utf-8") for path in PAGES}
TOLD = TEXTS.keys() - {"CHANGELOG.md"}  # a changelog speaks of how things were
SUBJECTS = (
    "your_data evidence lift_tests plans sweeps registry dt_mart commands measured team_server"
)
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
COMMANDS = runpy.run_path(str(DOCS / "commands.py"))
OFFLINE = runpy.run_path(str(DOCS / "_ext" / "offline.py"))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for name, body in FENCE.findall(text) if name == language]


def commands(text: str) -> list[str]:
    """The commands to type: lines of blocks, and whole commands between the lines."""
    blockless = FENCE.sub("", text)
    lines = "\n".join([*blocks(text, "bash"), *re.findall(r"^ {4}(.*)$", blockless, re.MULTILINE)])
    found = re.findall(r"^(?:\w+=\S+ )*((?:uv run )?(?:mmm-demo|mlflow|python) .*)", lines, re.M)
    return [*found, *re.findall(r"`((?:uv run )?mmm-demo \w+[^`]*)`", blockless)]


def wrong(command: str) -> str:
    """What the command line says against a command; empty when it takes it."""
    words = shlex.split(command.removeprefix("uv run "), comments=True)
    if words[0] == "mmm-demo":
        verb, *rest = words[1:]
        if verb not in cli.commands:
            return f"{command}: no verb {verb}"
        if not command.startswith("uv run "):  # a mention, not a command to type
            known = {name for param in cli.commands[verb].params for name in param.opts}
            return "".join(f"{command}: no {word}" for word in rest if word not in known)
        try:
            cli.commands[verb].make_context(verb, rest)
        except click.ClickException as fault:
            return f"{command}: {fault.format_message()}"
    if words[0] == "mlflow" and words[1] == "run" and "-e" in words:
        entry = yaml.safe_load((PROJECT / "MLproject").read_text("utf-8"))["entry_points"]
        known = entry.get(words[words.index("-e") + 1], {}).get("parameters", {})
        given = [b.partition("=")[0] for a, b in pairwise(words) if a == "-P"]
        return "".join(f"{command}: no {name}" for name in given if name not in known)
    if words[0] == "python" and words[1].startswith("benchmarks/"):
        return wrong_benchmark(words[1:])
    return ""


def wrong_benchmark(words: list[str]) -> str:
    """What speaks against a benchmark's name and options."""
    path = PROJECT / words[0]
    if not path.is_file():
        return f"{words[0]} is not there"
    source = path.read_text("utf-8")
    return "".join(
        f"{words[0]} has no {word}" for word in words if word[:2] == "--" and word not in source
    )


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them and the site does."""
    found = set()
    for title in re.findall(r"^#{1,3} (.+)$", FENCE.sub("", text), flags=re.MULTILINE):
        kept = [
            letter
            for letter in title.lower().replace("`", "")
            if letter in " -_" or unicodedata.category(letter)[0] in "LN"
        ]
        found.add("".join(kept).replace(" ", "-"))
    return found


def dead_links(page: Path, text: str) -> list[str]:
    """Links and images of a page that lead nowhere in the project."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        known = path.is_file() and path.is_relative_to(PROJECT)
        if not known or (anchor and anchor not in anchors(path.read_text("utf-8"))):
            dead.append(f"{page.name}: {target}")
    return dead


def test_readme_is_short_and_every_subject_has_its_page() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 200
    assert {f"docs/{name}.md" for name in SUBJECTS.split()} <= TEXTS.keys()
    unlinked = [name for name in SUBJECTS.split() if f"](docs/{name}.md)" not in TEXTS["README.md"]]
    assert unlinked == []


def test_commands_of_all_pages_are_taken() -> None:
    found = [command for name in sorted(TOLD) for command in commands(TEXTS[name])]
    assert len(found) > 80
    assert [fault for command in found if (fault := wrong(command))] == []


@pytest.mark.parametrize(
    "command",
    [
        "uv run mmm-demo plan",
        "mmm-demo plan",
        "uv run mmm-demo evidence",
        "uv run mmm-demo fit --sed 7",
        "mmm-demo fit --sed",
        "uv run mmm-demo optimize --weeks many",
        "uv run mlflow run . -e fit -P lag=4",
        "uv run python benchmarks/fit_sped.py",
        "uv run python benchmarks/fit_speed.py --sed 4",
    ],
)
def test_a_command_that_is_not_taken_is_seen(command: str) -> None:
    (found,) = commands(f"# Page\n\n```bash\n{command}  # why\n```\n")
    assert wrong(found)


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_every_verb_is_shown(page: str) -> None:
    shown = re.findall(r"uv run mmm-demo ([a-z]+)", "\n".join(commands(TEXTS[page])))
    assert set(shown) == set(cli.commands)


def test_the_page_of_commands_is_what_help_says() -> None:
    page = TEXTS["docs/commands.md"]
    assert COMMANDS["BLOCK"].findall(page) == re.findall(r"^### (\w+)$", page, flags=re.MULTILINE)
    assert set(COMMANDS["BLOCK"].findall(page)) == set(cli.commands)
    assert page == COMMANDS["written"](page), "stale; run: uv run docs/commands.py"
    stale = page.replace("--reason TEXT", "--why TEXT")
    assert stale != page
    assert COMMANDS["written"](stale) == page
    for command in cli.commands.values():
        for option in command.params:
            assert isinstance(option, click.Argument) or option.opts[0] in page, option.name


def test_links_of_all_pages_lead_somewhere() -> None:
    dead = [link for path in PAGES for link in dead_links(path, path.read_text("utf-8"))]
    assert dead == []


def test_a_dead_link_is_seen() -> None:
    text = (
        "[a](plans.md) [b](plan.md) ![c](plan_report.png) ![d](plans.png) [e](plans.md#plan-files)"
    )
    dead = ["x.md: plan.md", "x.md: plans.png", "x.md: plans.md#files", "x.md: ../../x"]
    assert dead_links(DOCS / "x.md", f"{text} [f](plans.md#files) [g](../../x)") == dead


def test_files_that_pages_name_are_there() -> None:
    names = re.compile(
        r"(?<![\w/])((?:experiments|benchmarks|docs|tests|notebooks)/(?!my_|_build)[\w/]+\.\w+)"
    )
    for page in sorted(TOLD):
        missing = [name for name in names.findall(TEXTS[page]) if not (PROJECT / name).is_file()]
        assert missing == [], page


def test_names_that_pages_give_are_importable() -> None:
    found = {
        name
        for page in TOLD - {"ARCHITECTURE.md"}  # held by test_walls
        for name in re.findall(r"`(mmm_demo(?:\.\w+)+)(?:\(\))?`", TEXTS[page])
    }
    assert "mmm_demo.data.load_data" in found
    assert [name for name in sorted(found) if pydoc.locate(name) is None] == []


def test_blocks_parse() -> None:
    counted = dict.fromkeys(("yaml", "python"), 0)
    for page, text in TEXTS.items():
        languages = {language for language, _ in FENCE.findall(text)}
        assert languages <= {"bash", "ini", "python", "text", "yaml", "{toctree}", "{eval-rst}"}, (
            page
        )
        for body in blocks(text, "yaml"):
            assert isinstance(yaml.safe_load(body), dict), page
            counted["yaml"] += 1
        for body in blocks(text, "python"):
            ast.parse(body)
            counted["python"] += 1
    assert counted["yaml"] >= 6
    assert counted["python"] >= 1


def test_settings_that_pages_show_are_taken(tmp_path: Path) -> None:
    """Each block of settings goes through the reader of its kind of file."""
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.settings.scenario import load_request
    from mmm_demo.settings.sweep import load_sweep

    template = yaml.safe_load((PROJECT / "experiments" / "your_data.yaml").read_text("utf-8"))
    read = 0
    for page in sorted(TEXTS.keys() - {"CHANGELOG.md"}):
        for body in blocks(TEXTS[page], "yaml"):
            told = yaml.safe_load(body)
            path = tmp_path / f"{read}.yaml"
            if "search" in told:
                told["experiment"] = str(PROJECT / told["experiment"])
                path.write_text(yaml.safe_dump(told), encoding="utf-8")
                assert load_sweep(path).search
            elif "scenarios" in told:
                path.write_text(body, encoding="utf-8")
                assert load_request(path).scenarios
            else:
                whole = {
                    key: value | told.get(key, {}) if isinstance(value, dict) else value
                    for key, value in template.items()
                }
                path.write_text(yaml.safe_dump(told | whole), encoding="utf-8")
                load_experiment(path)
            read += 1
    assert read >= 6


def test_figures_have_a_command() -> None:
    readme = TEXTS["README.md"].partition("\n## Measured")[2].partition("\n## ")[0]
    rows = [row for row in readme.splitlines() if row.startswith("| ")][1:]
    assert len(rows) == 10
    page = TEXTS["docs/measured.md"]
    for row in rows:
        command = re.search(r"`(benchmarks/\S+\.py[^`]*)` \|$", row)
        assert command, row
        assert wrong(f"uv run python {command[1]}") == ""
        assert f"uv run python {command[1]}\n" in page, "README and the page differ"
    parts = page.split("```bash\n")[1:]
    for part in parts:
        command, _, after = part.partition("\n```")
        assert command.startswith("uv run python benchmarks/")
        assert re.match(r"\s+Taken 20\d\d-\d\d-\d\d, commits? [0-9a-f]{7}\b", after), command
        assert "\n| what | measured | goal |\n" in after
    assert page.count("\n| what |") == len(parts)


def test_every_figure_of_the_readme_stands_on_the_page_of_figures() -> None:
    page = TEXTS["docs/measured.md"]
    for figure in (
        "9.5x",
        "13 of 13",
        "88 of 88",
        "0.116 / 0.228 / 1.033",
        "57 s / 23 s",
        "64 ms",
        "5.5 times",
    ):
        assert figure in TEXTS["README.md"]
        assert figure in page


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', ["//cdn.example/x.css"]),
        ('<link rel="preload" as="font" href="HTTP://f.example/a">', ["HTTP://f.example/a"]),
        ('<img src="http://i.example/a.png">', ["http://i.example/a.png"]),
        (
            '<img src="a.png" srcset="a.png 1x, https://i.example/b.png 2x">',
            ["https://i.example/b.png"],
        ),
        ('<p style="background: url(https://i.example/a.png)">', ["https://i.example/a.png"]),
        ("<style>@import 'https://f.example/a.css';</style>", ["https://f.example/a.css"]),
        ('<a href="https://docs.example">told, not fetched</a>', []),
        ('<link rel="canonical" href="https://docs.example"><img src="a.png">', []),
        ("<p>url(https://i.example/a.png) in words</p>", []),
    ],
)
def test_what_a_page_would_fetch_is_seen(html: str, found: list[str]) -> None:
    assert OFFLINE["page"](html) == found


def test_a_site_that_fetches_is_named_by_file(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<img src='x.png'>", encoding="utf-8")
    (tmp_path / "b.css").write_text('@font-face {src: url("https://f.example/a.woff2")}')
    found = [(str(path), address) for path, address in OFFLINE["site"](tmp_path)]
    assert found == [("b.css", "https://f.example/a.woff2")]


def test_every_page_is_on_the_site() -> None:
    index = TEXTS["docs/index.md"]
    listed = set(re.findall(r"[\w./]+", "\n".join(blocks(index, "{toctree}"))))
    for path in [*PAGES, *(PROJECT / "notebooks").glob("*.ipynb")]:
        name = path.relative_to(DOCS, walk_up=True).with_suffix("").as_posix()
        assert name in listed | {"index"}, name


def test_every_public_module_is_on_the_site() -> None:
    doors = {path.stem for path in (PROJECT / "src" / "mmm_demo").glob("*.py")}
    public = {f"mmm_demo.{name}" for name in doors - {"__init__", "serving"}}
    listed = re.findall(r"^   (mmm_demo\S*)$", TEXTS["docs/api.md"], flags=re.MULTILINE)
    assert set(listed) == public | {"mmm_demo"}
