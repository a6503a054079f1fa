"""The suite itself: what a run leaves out, in which order it goes, and what its processes share."""

import os
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from durations import TABLE, in_order, measured, table
from each import each
from helpers import PROJECT, PYTHON
from shared import SharedFolders

SETTINGS = """
[pytest]
addopts = --strict-markers --disable-plugin-autoload -p xdist -p no:cacheprovider
testpaths = checks
markers =
    slow: left out
"""
CHECKS = """
import pytest

def test_quick():
    pass

@pytest.mark.slow
def test_slow():
    pass
"""
HINT = "1 slow tests left out; all: uv run pytest --all; only these: uv run pytest -m slow"


@pytest.fixture
def small_suite(tmp_path: Path) -> Path:
    """A quick and a slow test, chosen as the project chooses its own."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "checks" / "conftest.py").write_text('pytest_plugins = ("selection",)\n')
    (tmp_path / "checks" / "test_both.py").write_text(CHECKS, encoding="utf-8")
    return tmp_path


def run(root: Path, *words: str) -> SimpleNamespace:
    """Run pytest as a user does, outside of this run's processes."""
    plain = {key: os.environ[key] for key in os.environ if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [PYTHON, "-m", "pytest", *words],
        cwd=root,
        env=plain | {"PYTHONPATH": str(PROJECT / "tests" / "support")},
        capture_output=True,
        text=True,
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_plain_run_leaves_the_slow_ones_out_and_says_so(
    small_suite: Path, processes: str
) -> None:
    done = run(small_suite, processes)
    assert (done.code, "1 passed" in done.out) == (0, True), done.out + done.err
    assert HINT in done.out


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (("checks",), 2),
        (("checks/test_both.py::test_slow",), 1),
        (("-m", "slow"), 1),
        (("-k", "slow"), 1),
        (("--all",), 2),
        (("--all", "-n2"), 2),
    ],
)
def test_whoever_names_what_to_run_gets_it(
    small_suite: Path, words: tuple[str, ...], passed: int
) -> None:
    done = run(small_suite, *words)
    assert (done.code, f"{passed} passed" in done.out) == (0, True), done.out + done.err
    assert "left out" not in done.out


@pytest.mark.parametrize(
    "words",
    [
        ("-k", "quick"),
        ("-k", "quick", "-n2"),
        ("-m", "not slow"),
        ("--deselect", "checks/test_both.py::test_slow"),
    ],
    ids=" ".join,
)
def test_all_fails_when_anything_is_left_out(small_suite: Path, words: tuple[str, ...]) -> None:
    done = run(small_suite, "--all", *words)
    assert done.code == pytest.ExitCode.TESTS_FAILED, done.out + done.err
    assert "1 passed" in done.out and "--all, but 1 tests were left out" in done.out


SKIPS = """
import pytest
from shared_data import shared_data

@pytest.mark.slow
def test_of_what_is_missing():
    pytest.skip("Chromium is not installed")
"""


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_all_fails_when_anything_is_skipped(small_suite: Path, processes: str) -> None:
    (small_suite / "checks" / "test_skips.py").write_text(SKIPS, encoding="utf-8")
    assert run(small_suite, "checks", processes).code == 0
    for words in ((), ("--without-shared",)):
        done = run(small_suite, "--all", processes, *words)
        assert done.code == pytest.ExitCode.TESTS_FAILED, done.out + done.err
        assert "2 passed, 1 skipped" in done.out
        assert "--all, but 0 tests were left out and 1 skipped" in done.out


def test_all_may_do_without_the_shared_data_only_when_told(small_suite: Path) -> None:
    skips = SKIPS.replace('pytest.skip("Chromium is not installed")', 'shared_data("none.csv")')
    (small_suite / "checks" / "test_skips.py").write_text(skips, encoding="utf-8")
    assert run(small_suite, "--all").code == pytest.ExitCode.TESTS_FAILED
    done = run(small_suite, "--all", "--without-shared", "-rs")
    assert done.code == 0, done.out + done.err
    assert "shared/data/none.csv is no part of the project, and not here" in done.out


@pytest.mark.parametrize("words", [("checks",), ("--ignore", "checks/test_both.py")], ids=" ".join)
def test_all_takes_nothing_that_narrows_it(small_suite: Path, words: tuple[str, ...]) -> None:
    done = run(small_suite, "--all", *words)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "--all takes every test" in done.err


def test_every_check_of_the_whole_runs_all() -> None:
    told = {".ci/run": "pytest --all", ".github/workflows/ci.yml": "pytest --all --without-shared"}
    for name, words in told.items():
        lines = [
            line for line in (PROJECT / name).read_text("utf-8").splitlines() if "pytest" in line
        ]
        assert [line.split("uv run ")[-1] for line in lines if "uv run" in line] == [words]


# --- loops --------------------------------------------------------------------------------------

LOOPS = """
import pytest
from each import each

@each(seed=range(3))
@each(kind=["a", "b"])
@pytest.mark.parametrize("size", [1, 2])
def test_loop(seed, kind, size, tmp_path):
    assert tmp_path.is_dir()
    assert (seed, kind, size) not in {(1, "b", 1), (2, "a", 1)}
"""


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_loop_goes_on_after_a_failure_and_shows_each(small_suite: Path, processes: str) -> None:
    (small_suite / "checks" / "test_both.py").write_text(LOOPS, encoding="utf-8")
    done = run(small_suite, "checks", processes)
    assert done.code == pytest.ExitCode.TESTS_FAILED, done.out + done.err
    failed = [line for line in done.out.splitlines() if line.startswith("SUBFAILED")]
    assert sorted(line.partition("]")[0] for line in failed) == [
        "SUBFAILED[seed=1, kind='b'",
        "SUBFAILED[seed=2, kind='a'",
    ]
    assert "3 failed, 1 passed" in done.out  # the two, their test, and the one of the other size


def test_a_loop_over_nothing_or_over_what_no_test_takes_is_refused() -> None:
    def test(seed: int) -> None: ...

    with pytest.raises(AssertionError, match="would test nothing"):
        each(seed=[])(test)
    with pytest.raises(AssertionError, match=r"takes no .*sede"):
        each(sede=[1])(test)


# --- order --------------------------------------------------------------------------------------


def item(nodeid: str, *fixtures: str) -> SimpleNamespace:
    return SimpleNamespace(nodeid=nodeid, fixturenames=fixtures)


def test_the_longest_files_come_first_and_one_that_makes_the_main_job_before_all() -> None:
    seconds = {"c/demo.py": 30.0, "a/demo.py": 60.0, "long.py": 50.0, "longer.py": 90.0}
    names = ["a/new.py", "a/demo.py", "b/short.py", "c/demo.py", "long.py", "longer.py"]
    items = [
        item(f"tests/{name}::test_{number}", *(["demo"] if "demo" in name else []))
        for name in names
        for number in (2, 1)
    ]
    ordered = [test.nodeid for test in in_order(items, seconds | {"b/short.py": 1.0})]
    files = [name.removeprefix("tests/").partition("::")[0] for name in ordered[::2]]
    assert files == ["a/demo.py", "longer.py", "long.py", "c/demo.py", "b/short.py", "a/new.py"]
    assert [name[-1] for name in ordered] == ["2", "1"] * len(names)


def test_the_table_is_read_as_it_is_written() -> None:
    spent = {
        "a/test_x.py": Counter({"test_one[a | b]": 61.25, "test_two": 1.0}),
        "test_y.py": Counter({"test_three": 0.75}),
        "test_z.py": Counter({"test_four": 0.1}),
    }
    assert measured(table(spent)) == {"a/test_x.py": 62.2, "test_y.py": 0.8}
    assert "In all 63 seconds of all processes and 4 tests" in table(spent)


def test_the_table_of_the_suite_is_of_this_suite() -> None:
    found = measured(TABLE.read_text("utf-8"))
    gone = [name for name in found if not (PROJECT / "tests" / name).is_file()]
    assert len(found) > 30 and len(gone) < len(found) / 5, f"measure again: {gone} are gone"


# --- what is made once --------------------------------------------------------------------------


def test_a_folder_is_made_by_the_first_who_asks(tmp_path: Path) -> None:
    made: list[Path] = []
    for _ in range(2):  # two processes of a run
        folder = SharedFolders(tmp_path).folder("thing", made.append)
    assert made == [folder] and folder.is_dir()


def test_what_could_not_be_made_fails_all_who_ask_and_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[Path] = []

    def make(folder: Path) -> None:
        tried.append(folder)
        raise ValueError("no disk left")

    with pytest.raises(ValueError, match="no disk left"):
        SharedFolders(tmp_path).folder("thing", make)
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception, match=r"(?s)thing.*no disk left"):
            SharedFolders(tmp_path).folder("thing", make)
    assert len(tried) == 1


def test_what_a_killed_process_was_making_fails_all_who_ask(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from shared import SharedFolders\n"
        "SharedFolders(Path(sys.argv[1])).folder('thing', lambda folder: os._exit(9))"
    )
    support = str(PROJECT / "tests" / "support")
    done = subprocess.run(
        [PYTHON, "-c", script, str(tmp_path)], env=os.environ | {"PYTHONPATH": support}
    )
    assert done.returncode == 9
    with pytest.raises(pytest.fail.Exception, match="the process that made it has died"):
        SharedFolders(tmp_path).folder("thing", lambda folder: None)
