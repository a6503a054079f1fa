"""What a worker process is asked to do; it imports the libraries once and stays."""

import threading
from collections.abc import Mapping

from mmm_demo.sweeps.candidate import Candidate, Judged, fit_candidate, not_fitted
from mmm_demo.sweeps.search import Link
from mmm_demo.sweeps.trial import Task, TrialResult, run_trial
from mmm_demo.sweeps.versions import require_same

# A Dask worker with several threads would compile several models at once.
_ONE_AT_A_TIME = threading.Lock()


def do_trial(link: Link, task: Task, asked: Mapping[str, str]) -> TrialResult:
    """Do one trial and report to the study in between (`run_trial`).

    What cannot be fitted, such as too few weeks for the folds, is an outcome as well.

    Parameters
    ----------
    link, task
        The study, and what to fit.
    asked
        Versions of the process that asks (`versions`).

    Raises
    ------
    RuntimeError
        When this process has other versions.
    """
    require_same(asked)
    with _ONE_AT_A_TIME:
        try:
            return run_trial(task, link.hopeless)
        except ValueError as fault:
            return TrialResult("failed", str(fault))


def do_candidate(task: Candidate, asked: Mapping[str, str]) -> Judged:
    """Fit and judge one candidate (`fit_candidate`).

    What cannot be fitted, such as too few weeks for the folds, is an outcome as well.

    Parameters
    ----------
    task
        What to fit.
    asked
        Versions of the process that asks (`versions`).

    Raises
    ------
    RuntimeError
        When this process has other versions.
    """
    require_same(asked)
    with _ONE_AT_A_TIME:
        try:
            return fit_candidate(task)
        except ValueError as fault:
            return not_fitted(str(fault))
