"""What a worker does with a trial: every outcome is one, and what is none stops the sweep."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mmm_demo.sweeps import worker
from mmm_demo.sweeps.search import Link
from mmm_demo.sweeps.trial import TrialResult
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_trial

LINK = Link("nowhere", "s", 1, stops_early=True)


def test_a_trial_is_done_with_the_link_to_its_study(monkeypatch):
    seen: list[Any] = []
    outcome = TrialResult("passed", value=1.0)
    monkeypatch.setattr(worker, "run_trial", lambda *given: seen.extend(given) or outcome)
    assert do_trial(LINK, "task", versions()) is outcome
    assert seen == ["task", LINK.hopeless]


@pytest.mark.parametrize("error", [ValueError, np.linalg.LinAlgError])
def test_what_cannot_be_fitted_is_a_failed_trial_with_its_reason(monkeypatch, error):
    def impossible(*_: Any) -> TrialResult:
        raise error("9 weeks are too few")

    monkeypatch.setattr(worker, "run_trial", impossible)
    outcome = do_trial(LINK, "task", versions())
    assert (outcome.verdict, outcome.reason) == ("failed", "9 weeks are too few")
    assert np.isnan(outcome.value)


def test_a_fault_of_the_program_is_no_verdict_on_a_trial(monkeypatch):
    def broken(*_: Any) -> TrialResult:
        raise KeyError("a bug")

    monkeypatch.setattr(worker, "run_trial", broken)
    with pytest.raises(KeyError, match="a bug"):
        do_trial(LINK, "task", versions())


def test_a_worker_with_other_versions_fits_nothing(monkeypatch):
    monkeypatch.setattr(worker, "run_trial", lambda *_: pytest.fail("fitted"))
    with pytest.raises(RuntimeError, match=r"pymc .* instead of 1\.0"):
        do_trial(LINK, "task", versions() | {"pymc": "1.0"})


def test_a_process_does_one_trial_at_a_time(monkeypatch):
    busy = threading.Lock()

    def alone(*_: Any) -> TrialResult:
        assert busy.acquire(blocking=False)
        time.sleep(0.02)
        busy.release()
        return TrialResult("passed", value=1.0)

    monkeypatch.setattr(worker, "run_trial", alone)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(do_trial, LINK, "task", versions()) for _ in range(4)]
    assert [future.result().verdict for future in futures] == ["passed"] * 4
