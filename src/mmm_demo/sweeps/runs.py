"""The trials of a sweep at work, and the runs of the tracking store that they are."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path

from mmm_demo.fits.trace import data_params, sales_sha256
from mmm_demo.settings.experiment import ConfigError, ExperimentConfig
from mmm_demo.settings.experiment_file import flat_params, to_yaml
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.sweep import Space, in_words
from mmm_demo.sources.market import MarketingData, load_market, with_events
from mmm_demo.store.runs import Run, find_tagged, temporary_folder
from mmm_demo.sweeps.search import Asked, Link, Search
from mmm_demo.sweeps.text import score
from mmm_demo.sweeps.trial import Task, TrialResult
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_trial
from mmm_demo.tables.faults import DataError

TRIAL, VERDICT, REASON = "optuna.trial", "trial.verdict", "trial.reason"
# Is told after each trial: how many have ended, the trial in words, and the best so far.
Tell = Callable[[int, str, str], None]


class Trials:
    """The trials of one sweep; only this process writes to the study and to the runs.

    A trial is recorded in its run before the study is told, and both can be done again: whatever
    moment a process is killed at, the trial is told or done anew, in the same run.

    Parameters
    ----------
    run
        The sweep's run.
    space, search
        What to try, and which comes next.
    executor
        Does the trials.
    root
        The project's folder.
    tell
        Is told of each trial.
    """

    def __init__(
        self, run: Run, space: Space, search: Search, executor: Executor, root: Path, tell: Tell
    ) -> None:
        self.run, self.space, self.search = run, space, search
        self.executor, self.root, self.tell = executor, root, tell
        self.running: dict[Future[TrialResult], tuple[Asked, Run]] = {}
        self._open_runs: dict[int, Run] = {}
        self._tables: dict[str, MarketingData] = {}
        self._sales = self._table(space.base)

    def start_next(self) -> bool:
        """Hand the next trial to a worker; what cannot be fitted ends at once.

        Returns
        -------
        bool
            Whether there was one.
        """
        asked = self.search.ask()
        if asked is None:
            return False
        run = self._open(asked)
        try:
            experiment = self.space.experiment(
                asked.choice, f"{self.space.sweep.name}_{asked.number}"
            )
            data = self._comparable(experiment)
            experiment = with_events(experiment, data)
        except (ConfigError, DataError) as fault:
            self._end(asked, run, TrialResult("failed", str(fault)))
            return True
        searched = {f"sweep.{name}": value for name, value in asked.choice.items()}
        digests = data_params(data.table, experiment.model, data.calendar)
        run.log(params=flat_params(experiment) | searched | digests)
        run.log_text(to_yaml(experiment), "experiment.yaml")
        self.running[self._submit(asked, experiment, data)] = (asked, run)
        return True

    def settle(self) -> None:
        """Wait for a trial to end, and record all that have ended."""
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            outcome = future.result()
            self._end(*self.running.pop(future), outcome)

    def abandon(self) -> None:
        """Leave no run open; the trials are gone on with when the sweep is resumed."""
        for run in self._open_runs.values():
            run.close("KILLED")
        self._open_runs.clear()
        self.running.clear()

    def _open(self, asked: Asked) -> Run:
        number = str(asked.number)
        known = find_tagged({"mlflow.parentRunId": self.run.run_id, TRIAL: number})
        if known:
            run = self._open_runs[asked.number] = known[-1]
            run.reopen()
            return run
        tags = {TRIAL: number, "sweep": self.space.sweep.name, "market": self.space.base.market}
        run = self.run.child(f"{self.space.sweep.name} {number}", "trial", tags)
        self._open_runs[asked.number] = run
        return run

    def _table(self, experiment: ExperimentConfig) -> MarketingData:
        model = experiment.model
        columns = (model.date_column, model.target_column, model.control_columns)
        key = repr((experiment.data, columns, model.channel_columns, model.adstock_max_lag))
        if key not in self._tables:
            self._tables[key] = load_market(experiment.data, model, self.root)
        return self._tables[key]

    def _comparable(self, experiment: ExperimentConfig) -> MarketingData:
        data, base = self._table(experiment), self.space.base
        ours = sales_sha256(data.table, experiment.model)
        if ours != sales_sha256(self._sales.table, base.model):
            raise DataError("it explains other weeks or sales than the sweep's experiment")
        return data

    def _submit(
        self, asked: Asked, experiment: ExperimentConfig, data: MarketingData
    ) -> Future[TrialResult]:
        sweep = self.space.sweep
        sampling = EvidenceConfig(
            folds=sweep.folds,
            draws=sweep.draws,
            tune=sweep.tune,
            horizon_weeks=experiment.evidence.horizon_weeks,
        )
        task = Task(
            experiment=experiment,
            table=data.table,
            lift_tests=data.lift_tests,
            sampling=sampling,
            objective=sweep.objective,
            longest_lag=self.space.longest_lag,
        )
        search = self.search
        link = Link(search.address, search.name, asked.key, sweep.stops_early)
        return self.executor.submit(do_trial, link, task, versions())

    def _end(self, asked: Asked, run: Run, outcome: TrialResult) -> None:
        tags = {VERDICT: outcome.verdict, REASON: outcome.reason or "none"}
        run.log(metrics=outcome.metrics, tags=tags)
        for name, table in outcome.tables.items():
            run.log_text(table.to_csv(index=False), name)
        if outcome.trace:
            with temporary_folder() as folder:
                path = folder / "trace.nc"
                path.write_bytes(outcome.trace)
                run.log_file(path)
        run.close()
        self._open_runs.pop(asked.number)
        self.search.tell(asked, outcome)
        value = f", {score(self.space.sweep, outcome.value)}" if outcome.verdict == "passed" else ""
        line = f"trial {asked.number} {outcome.verdict}{value} ({in_words(asked.choice)})"
        self.tell(self.search.finished, line, self._best())

    def _best(self) -> str:
        best = self.search.best
        if best is None:
            return "none passed yet"
        return f"{score(self.space.sweep, best.value)} (trial {best.number})"
