"""The words `sweep`: what reaches the sweep, what is printed, and what is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from helpers import PROJECT
from mmm_demo.cli.verbs import KNOWN_ERROR, main
from mmm_demo.fits.cores import usable_cores
from mmm_demo.jobs import sweep as sweep_steps
from mmm_demo.jobs.sweep import SweepResult
from mmm_demo.sweeps.search import Asked
from swept import LAG, write_sweep

ENTRY = yaml.safe_load((PROJECT / "MLproject").read_text("utf-8"))["entry_points"]["sweep"]


@pytest.fixture
def answer(monkeypatch, capsys):
    """Give the command line some words and return its exit code and what it printed."""

    def answer(*words: str) -> SimpleNamespace:
        monkeypatch.setattr("sys.argv", ["mmm-demo", *words])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        code = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        return SimpleNamespace(
            code=code, **dict(zip(("out", "err"), capsys.readouterr(), strict=True))
        )

    return answer


@pytest.fixture
def asked(project, monkeypatch):
    """What sweeps were asked for; each has one trial that passed."""
    seen: list[dict[str, Any]] = []

    def run(space, root, say, tell, **settings: Any) -> SweepResult:
        seen.append({"space": space, "root": root} | settings)
        tell(1, "trial 0 passed, CRPS 5 (adstock_max_lag 2)", "CRPS 5 (trial 0)")
        row = {"number": 0, "verdict": "passed", "value": 5.0, "reason": "", "seconds": 1.0, LAG: 2}
        best = Asked(0, 1, {LAG: 2}, 5.0)
        file = root / "outputs" / "experiments" / "s_best.yaml"
        return SweepResult(None, pd.DataFrame([row]), best, file)

    monkeypatch.setattr(sweep_steps, "run_sweep", run)
    monkeypatch.delenv("MMM_DEMO_SWEEP_STORAGE", raising=False)
    write_sweep(project, {LAG: [2, 3]})
    return seen


def test_by_itself_a_sweep_takes_every_core_of_this_machine(asked, answer, project):
    done = answer("sweep", "sweep.yaml")
    assert done.code == 0, done.err
    (one,) = asked
    assert one["space"].sweep.name == "s"
    assert one["root"] == project
    assert (one["workers"], one["scheduler"], one["storage"]) == (usable_cores(), None, None)


def test_every_setting_arrives(asked, answer):
    words = ["--workers", "3", "--scheduler", "tcp://far:8786", "--storage", "postgresql://db"]
    assert answer("sweep", "sweep.yaml", *words).code == 0
    (one,) = asked
    assert (one["workers"], one["scheduler"]) == (3, "tcp://far:8786")
    assert one["storage"] == "postgresql://db"


@pytest.mark.parametrize("word", ["unset", "default"])
def test_the_word_that_mlflow_passes_leaves_settings_open(asked, answer, word):
    words = ["--workers", word, "--scheduler", word, "--storage", word]
    assert answer("sweep", "sweep.yaml", *words).code == 0
    assert (asked[0]["workers"], asked[0]["scheduler"]) == (usable_cores(), None)
    assert asked[0]["storage"] is None


def test_the_storage_may_come_by_a_variable(asked, answer, monkeypatch):
    monkeypatch.setenv("MMM_DEMO_SWEEP_STORAGE", "postgresql://me:secret@db/mmm")
    done = answer("sweep", "sweep.yaml")
    assert asked[0]["storage"] == "postgresql://me:secret@db/mmm"
    assert "secret" not in done.out + done.err
    assert "secret" not in answer("sweep", "--help").out


def test_the_entry_point_leaves_open_what_it_is_not_given(asked, answer):
    given = {name: of["default"] for name, of in ENTRY["parameters"].items()}
    given["files"] = "sweep.yaml"
    words = ENTRY["command"].format(**given).partition("mmm_demo.cli ")[2].split()
    assert answer(*words).code == 0
    assert (asked[0]["workers"], asked[0]["scheduler"]) == (usable_cores(), None)
    assert (PROJECT / ENTRY["parameters"]["files"]["default"]).is_file()


def test_progress_and_the_best_are_printed_with_what_to_do_next(asked, answer):
    out = answer("sweep", "sweep.yaml").out
    assert "> 1 of 2: trial 0 passed, CRPS 5 (adstock_max_lag 2); best: CRPS 5 (trial 0)" in out
    assert "Best: trial 0, CRPS 5 (adstock_max_lag 2)" in out
    assert "mmm-demo fit --experiment outputs/experiments/s_best.yaml" in out


def test_several_files_are_done_one_after_the_other(asked, answer, project):
    (project / "other.yaml").write_text(
        (project / "sweep.yaml").read_text().replace("name: s\n", "name: other\n")
    )
    assert answer("sweep", "sweep.yaml", "other.yaml").code == 0
    assert [one["space"].sweep.name for one in asked] == ["s", "other"]


def test_every_file_is_read_before_the_first_trial(asked, answer, project):
    (project / "bad.yaml").write_text("name: bad\nexperiment: small.yaml\nsearch: {x: 1}\n")
    done = answer("sweep", "sweep.yaml", "bad.yaml")
    assert done.code == KNOWN_ERROR
    assert asked == []
    for words in ("Error: ", "bad.yaml", "x: a setting is written with its section"):
        assert words in done.err


def test_a_file_that_is_not_there_is_named_with_those_that_are(asked, answer):
    done = answer("sweep", "nope.yaml")
    assert done.code == KNOWN_ERROR
    assert "no sweep file nope.yaml" in done.err
    assert "experiments/sweeps/demo_carryover_season.yaml" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["sweep"],
        ["sweep", "sweep.yaml", "--workers", "0"],
        ["sweep", "sweep.yaml", "--workers", "two"],
        ["sweep", "sweep.yaml", "--worker", "2"],
    ],
)
def test_wrong_words_are_an_error_of_usage(asked, answer, words):
    done = answer(*words)
    assert done.code == 2
    assert "Usage: " in done.err
    assert asked == []


def test_help_names_every_setting(answer):
    done = answer("sweep", "--help")
    assert done.code == 0
    for words in ("FILES", "--workers", "--scheduler", "--storage", "MMM_DEMO_SWEEP_STORAGE"):
        assert words in done.out


def test_outside_of_the_project_nothing_is_done(answer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = answer("sweep", "sweep.yaml")
    assert done.code == KNOWN_ERROR
    assert "is not inside the project" in done.err


def test_a_worker_that_died_is_an_error_with_the_next_step(asked, answer, monkeypatch):
    def run(*_: Any, **__: Any) -> SweepResult:
        raise RuntimeError("worker processes died; run the same command again")

    monkeypatch.setattr(sweep_steps, "run_sweep", run)
    done = answer("sweep", "sweep.yaml")
    assert done.code == KNOWN_ERROR
    assert "Error: worker processes died; run the same command again" in done.err


def test_the_file_is_found_from_a_folder_of_the_project(asked, answer, project, monkeypatch):
    folder = project / "experiments"
    monkeypatch.chdir(folder)
    done = answer("sweep", str(Path("..") / "sweep.yaml"))
    assert done.code == 0, done.err
    assert asked[0]["root"] == project
