"""Which trial comes next, and what became of the others: an Optuna study."""

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, Trial, TrialState

from mmm_demo.settings.dimension import Options, Range, Value
from mmm_demo.settings.sweep import SweepConfig
from mmm_demo.store.locks import locked
from mmm_demo.sweeps.trial import TrialResult

VERDICT, REASON, NOT_PASSED = "verdict", "reason", "not_passed"
PRUNE_BELOW_P = 0.05  # of the Wilcoxon test of a trial's weeks against the best one's
STATES = {"passed": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.PRUNED}

FIRST_USE = "studies-first-use"


def open_storage(address: str) -> BaseStorage:
    """Return the storage of studies: a database by its URL, else a journal file by its path.

    A journal file serves every process of one machine; it is never deleted. From here on Optuna
    says no more than its warnings: what becomes of a trial is told by `jobs.sweep`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" in address:
        with locked(address, FIRST_USE):  # which makes the tables
            return RDBStorage(address, engine_kwargs={"pool_pre_ping": True})
    Path(address).parent.mkdir(parents=True, exist_ok=True)
    storage = JournalFileBackend(address)
    _drop_torn_line(address)
    return JournalStorage(storage)


def _drop_torn_line(journal: str) -> None:
    """Drop the line that a process died in, or had no room for: Optuna would read none after it."""
    if not _torn(journal):
        return
    lock = JournalFileSymlinkLock(journal)
    lock.acquire()
    try:
        if _torn(journal):  # and not just being written
            whole = Path(journal).read_bytes().rfind(b"\n") + 1
            os.truncate(journal, whole)
    finally:
        lock.release()


def _torn(journal: str) -> bool:
    with Path(journal).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read() not in (b"", b"\n")


@dataclass(frozen=True)
class Asked:
    """One trial that was asked for.

    Attributes
    ----------
    number, key
        Its number from 0, and the storage's id of it.
    choice
        Value of each setting.
    value
        What it came to; NaN until it passed.
    """

    number: int
    key: int
    choice: Mapping[str, Value]
    value: float = math.nan


class Search:
    """The trials of one sweep, in a storage that outlives the process.

    Only one process may ask and tell; workers report to `Link`.

    Parameters
    ----------
    address
        See `open_storage`.
    sweep
        What to search.
    identity
        Of the sweep (`SweepConfig.identity`); the same one is resumed.
    """

    def __init__(self, address: str, sweep: SweepConfig, identity: str) -> None:
        self.sweep, self.address = sweep, address
        self.name = f"{sweep.name}-{identity}"
        storage = open_storage(address)
        direction = "minimize" if sweep.objective == "crps" else "maximize"
        self._study = optuna.create_study(
            storage=storage, study_name=self.name, direction=direction, load_if_exists=True
        )
        self._study.sampler = _sampler(sweep, len(self._study.trials))
        self._continued = [t for t in self._study.trials if t.state == TrialState.RUNNING]

    @property
    def finished(self) -> int:
        """How many trials have ended."""
        return len(self._study.get_trials(deepcopy=False, states=_ENDED))

    def ask(self) -> Asked | None:
        """Return the next trial: first those that a killed process left, then new ones."""
        if self._continued:
            trial = Trial(self._study, self._continued.pop(0)._trial_id)
        elif len(self._study.get_trials(deepcopy=False)) < self.sweep.size:
            trial = self._study.ask()
        else:
            return None
        # A value that was drawn before the kill is returned again.
        choice = {name: _suggest(trial, name, of) for name, of in self.sweep.search.items()}
        return Asked(trial.number, trial._trial_id, choice)

    def tell(self, asked: Asked, outcome: TrialResult) -> None:
        """Record what became of a trial; one that did not pass is outside of the constraint."""
        trial = Trial(self._study, asked.key)
        trial.set_user_attr(VERDICT, outcome.verdict)
        trial.set_user_attr(REASON, outcome.reason)
        if NOT_PASSED not in trial.constraints:  # else a process died between this and the next
            trial.set_constraint(NOT_PASSED, float(outcome.verdict == "failed"))
        state = STATES[outcome.verdict]
        value = outcome.value if state == TrialState.COMPLETE else None
        self._study.tell(trial, value, state)

    @property
    def best(self) -> Asked | None:
        """The passing trial with the best value."""
        passed = [t for t in self._study.trials if t.state == TrialState.COMPLETE]
        if not passed:
            return None
        found = self._study.best_trial
        return Asked(found.number, found._trial_id, found.params, float(found.value))

    def table(self) -> pd.DataFrame:
        """Return the ended trials: columns number, verdict, value, reason, seconds, settings."""
        rows = [_row(trial) for trial in self._study.get_trials(states=_ENDED)]
        columns = ["number", "verdict", "value", "reason", "seconds", *self.sweep.search]
        return pd.DataFrame(rows, columns=columns).sort_values("number", ignore_index=True)

    def importances(self) -> dict[str, float]:
        """Return the share of each setting in what makes trials good; empty with too few trials."""
        varied = [t for t in self._study.trials if t.state == TrialState.COMPLETE]
        if len({t.value for t in varied}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return optuna.importance.get_param_importances(self._study, evaluator=evaluator)


_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
_opened = cache(open_storage)  # a worker asks after each fold; once opened, a storage stays so


@dataclass(frozen=True)
class Link:
    """How a worker process tells the study about a trial that it does.

    Attributes
    ----------
    address, study, key
        Storage, name of the study, and the storage's id of the trial.
    stops_early
        Whether hopeless trials end early.
    """

    address: str = field(repr=False)  # may hold a password, and engines log what they are given
    study: str
    key: int
    stops_early: bool

    def hopeless(self, forecast: pd.DataFrame) -> bool:
        """Report the weeks of one more fold; return whether the trial is hopeless by now."""
        if not self.stops_early:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            pruner = optuna.pruners.WilcoxonPruner(p_threshold=PRUNE_BELOW_P)
        study = optuna.load_study(
            study_name=self.study, storage=_opened(self.address), pruner=pruner
        )
        trial = Trial(study, self.key)
        known = study._storage.get_trial(self.key).intermediate_values
        for week in forecast.itertuples():
            if (step := week.week.toordinal()) not in known:  # another worker died on this trial
                trial.report(week.crps, step)
        return trial.should_prune()


class _Grid(optuna.samplers.GridSampler):
    def after_trial(self, *_: object) -> None:
        """Do nothing: Optuna's own ends the loop of `optimize` here, and there is none."""


def _sampler(sweep: SweepConfig, known: int) -> optuna.samplers.BaseSampler:
    # Resumed with the same seed, a sampler would draw the same values again.
    seed = sweep.seed + known
    if sweep.sampler == "grid":
        values = {name: of.values() for name, of in sweep.search.items()}
        return _Grid(values, seed=sweep.seed)
    if sweep.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True)


def _suggest(trial: Trial, name: str, of: Options | Range) -> Value:
    if isinstance(of, Options):
        return trial.suggest_categorical(name, of.values())
    if of.whole:
        return trial.suggest_int(
            name, int(of.low), int(of.high), step=int(of.step or 1), log=of.log
        )
    return trial.suggest_float(name, of.low, of.high, step=of.step, log=of.log)


def _row(trial: FrozenTrial) -> dict[str, object]:
    taken = trial.duration.total_seconds() if trial.duration else math.nan
    passed = trial.state == TrialState.COMPLETE  # others have the last value that they reported
    return {
        "number": trial.number,
        "verdict": trial.user_attrs.get(VERDICT, "failed"),
        "value": trial.value if passed else math.nan,
        "reason": trial.user_attrs.get(REASON, "ended without a result"),
        "seconds": taken,
        **trial.params,
    }
