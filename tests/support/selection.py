"""Which tests a run takes, and in which order; the hooks that `conftest.py` hands to pytest.

Without a path, `-m` or `-k`, tests marked `slow` are left out, and the last line says so. With
`--all` nothing may be left out or skipped: what is, fails the run. Only tests that need data which
are no part of the project (`shared_data.py`) may be skipped, and only with `--without-shared`.
"""

import pytest

from shared_data import NOT_HERE

HOW_TO_RUN_THEM = "all: uv run pytest --all; only these: uv run pytest -m slow"
LEFT_OUT = pytest.StashKey[int]()
SKIPPED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all", action="store_true", help="every test, the slow ones too; fails if any is left out"
    )
    parser.addoption(
        "--without-shared",
        action="store_true",
        help="with --all: tests of data that are no part of the project may be skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = 0
    config.stash[SKIPPED] = 0
    option = config.option
    paths = config.args_source is pytest.Config.ArgsSource.ARGS
    if config.getoption("--all"):
        if paths or option.ignore or option.ignore_glob:
            raise pytest.UsageError("--all takes every test: no path and no --ignore go with it")
    elif not (paths or option.markexpr or option.keyword):
        option.markexpr = "not slow"
        option.slow_left_out = True


def in_worker(config: pytest.Config) -> bool:
    """Whether this is one of the processes that xdist started."""
    return hasattr(config, "workerinput")


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[LEFT_OUT] += len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take over what a process of xdist left out: all of them leave out the same."""
    stash, said = node.config.stash, getattr(node, "workeroutput", {})  # nothing by one that died
    stash[LEFT_OUT] = max(stash[LEFT_OUT], said.get("left_out", 0))


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config):
    """Count what was skipped, of all processes."""
    status = yield
    if status[0] == "skipped":
        excused = NOT_HERE in str(report.longrepr) and config.getoption("--without-shared")
        config.stash[SKIPPED] += not excused
    return status


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    left_out = config.stash[LEFT_OUT]
    missing = left_out or config.stash[SKIPPED]
    if in_worker(config):
        config.workeroutput["left_out"] = left_out
    elif missing and config.getoption("--all") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    left_out, skipped = config.stash[LEFT_OUT], config.stash[SKIPPED]
    if (left_out or skipped) and config.getoption("--all"):
        words = f"--all, but {left_out} tests were left out and {skipped} skipped"
        terminalreporter.write_line(words, red=True)
    elif left_out and getattr(config.option, "slow_left_out", False):
        terminalreporter.write_line(f"{left_out} slow tests left out; {HOW_TO_RUN_THEM}")
