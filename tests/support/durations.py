"""How long each file of tests takes, kept in tests/DURATIONS.md; the hooks for `conftest.py`.

The table is written by `uv run pytest --all --write-durations`, and read to give the processes of
xdist the longest files first, so that they end together.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

import pytest

from helpers import PROJECT
from selection import in_worker

TABLE = PROJECT / "tests" / "DURATIONS.md"
LONG, LEAST = 5.0, 0.5  # seconds
HEAD = """# Where the tests spend their time

Seconds in each file, with what is set up for it, and in the slowest test of it. The main job, which
all share, stands with the first test that asked for it. The longest files are started first, in the
order of this table.

    uv run pytest --all --write-durations     # runs everything and writes this table again

| seconds | tests | file | slowest test |
|---:|---:|---|---|
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-durations", action="store_true", help=f"writes {TABLE.name} again")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-durations") and not in_worker(config):
        config.pluginmanager.register(Stopwatch())


class Stopwatch:
    """Adds up what the phases of each test take."""

    def __init__(self) -> None:
        self.spent: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if isinstance(report, pytest.SubtestReport):  # its time is its test's
            return
        file, _, test = report.nodeid.partition("::")
        self.spent[file.removeprefix("tests/")][test] += report.duration

    def pytest_sessionfinish(self) -> None:
        TABLE.write_text(table(self.spent), encoding="utf-8")


def table(spent: Mapping[str, Counter[str]]) -> str:
    """Return the page: a row per file, the longest first, and the sum."""
    total = {file: sum(tests.values()) for file, tests in spent.items()}
    text = HEAD
    for file in sorted(total, key=total.get, reverse=True):
        if total[file] >= LEAST:
            ((test, most),) = spent[file].most_common(1)
            text += f"| {total[file]:.1f} | {len(spent[file])} | {file} | `{test}` {most:.1f} |\n"
    count = sum(len(tests) for tests in spent.values())
    text += f"\nIn all {sum(total.values()):.0f} seconds of all processes and {count} tests; "
    return text + f"files of less than {LEAST:g} seconds are not listed.\n"


def measured(text: str) -> dict[str, float]:
    """Return the seconds of each file that a table lists."""
    rows = re.findall(r"^\| ([\d.]+) \| \d+ \| (\S+) \|", text, re.MULTILINE)
    return {file: float(seconds) for seconds, file in rows}


@pytest.hookimpl(trylast=True)  # of what -k and -m have left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if in_worker(config):
        items[:] = in_order(items, measured(TABLE.read_text("utf-8")))


def in_order(items: list[pytest.Item], seconds: dict[str, float]) -> list[pytest.Item]:
    """Put one file first that asks for the main job, and long ones that do not ask for it next.

    So one process makes the main job while the others have something else to do.
    """
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0].removeprefix("tests/"), []).append(item)
    asking = {name for name in files if any("demo" in it.fixturenames for it in files[name])}
    long = {name for name in files if seconds.get(name, 0) > LONG} - asking
    longest_first = sorted(files, key=lambda name: (-seconds.get(name, 0), name))
    opener = [name for name in longest_first if name in asking][:1]
    order = [*opener, *(name for name in longest_first if name in long), *longest_first]
    return [item for name in dict.fromkeys(order) for item in files[name]]
