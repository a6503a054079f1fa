"""Figures drawn by a process beside the job: the same ones, in their order, or a reason."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import psutil
import pytest

from mmm_demo.cli import drawing
from mmm_demo.cli.drawing import drawing_beside
from mmm_demo.plots.picture import drawn
from mmm_demo.reports.figures import prior_figures
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run

WEEKS = np.arange("2024-01-01", "2024-06-01", 7, dtype="datetime64[D]")
SALES = np.linspace(100.0, 200.0, len(WEEKS))
PLACE = Path("outputs/plots/diagnostics")
SEED = np.random.default_rng(1)
DRAWS = SEED.normal(150.0, 20.0, (50, len(WEEKS)))


@pytest.fixture(scope="module")
def beside() -> Iterator[Executor]:
    with drawing_beside() as executor:
        assert executor is not None, "the machine has one core"
        yield executor


def test_another_process_draws_the_same_figure(beside: Executor, store, project) -> None:
    what = (WEEKS, SALES, DRAWS, 300.0)
    with open_run("fit", "fit") as run, Publisher(run, project, beside=beside) as publisher:
        publisher.draw(prior_figures, *what)
        file = PLACE / f"prior_predictive_{run.run_id[:8]}.png"
        assert not file.exists()  # this one goes on meanwhile
    (picture,) = drawn(prior_figures, *what)
    assert file.read_bytes() == picture.png
    logged = store.download_artifacts(run.run_id, "plots/diagnostics/prior_predictive.png")
    assert Path(logged).read_bytes() == picture.png


def test_what_was_refused_gets_its_figures_all_the_same(beside: Executor, store, project) -> None:
    with (
        pytest.raises(ValueError, match="refused"),
        open_run("fit", "fit") as run,
        Publisher(run, project, beside=beside) as publisher,
    ):
        publisher.draw(prior_figures, WEEKS, SALES, DRAWS, 300.0)
        raise ValueError("refused")
    assert (PLACE / f"prior_predictive_{run.run_id[:8]}.png").is_file()
    assert store.get_run(run.run_id).info.status == "FAILED"


def test_a_figure_that_cannot_be_drawn_fails_the_job_with_its_reason(
    beside: Executor, store, project
) -> None:
    with (
        pytest.raises(ValueError, match=r"draws must be \(sample, week=22\), got shape \(50, 21\)"),
        open_run("fit", "fit") as run,
        Publisher(run, project, beside=beside) as publisher,
    ):
        publisher.draw(prior_figures, WEEKS, SALES, DRAWS[:, 1:], 300.0)
    assert store.get_run(run.run_id).info.status == "FAILED"


def test_a_process_that_ends_fails_the_job_with_what_to_do(store, project) -> None:
    with (
        pytest.raises(RuntimeError, match=r"lacks figures: the process .* mmm-demo report "),
        drawing_beside() as executor,
        open_run("fit", "fit") as run,
        Publisher(run, project, beside=executor) as publisher,
    ):
        publisher.draw(os._exit, 3)
        publisher.draw(prior_figures, WEEKS, SALES, DRAWS, 300.0)
    assert store.get_run(run.run_id).info.status == "FAILED"


def test_ctrl_c_waits_for_no_figure_and_leaves_no_process(store, project) -> None:
    before = set(psutil.Process().children())
    started = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        drawing_beside() as executor,
        open_run("fit", "fit") as run,
        Publisher(run, project, beside=executor) as publisher,
    ):
        publisher.draw(time.sleep, 600)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 60
    assert store.get_run(run.run_id).info.status == "KILLED"
    new = set(psutil.Process().children()) - before
    ours = [child for child in new if "spawn_main" in " ".join(child.cmdline())]
    _, alive = psutil.wait_procs(ours, 20)
    assert not alive


def test_with_one_core_figures_are_drawn_here(
    monkeypatch: pytest.MonkeyPatch, store, project
) -> None:
    monkeypatch.setattr(drawing, "usable_cores", lambda: 1)
    with (
        drawing_beside() as executor,
        open_run("fit", "fit") as run,
        Publisher(run, project, beside=executor) as publisher,
    ):
        assert executor is None
        publisher.draw(prior_figures, WEEKS, SALES, DRAWS, 300.0)
        assert (PLACE / f"prior_predictive_{run.run_id[:8]}.png").is_file()  # at once
