"""The steps of a sweep: one run for it, one child run per trial, the best as an experiment file."""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmm_demo.fits.ladder import MOST_COMPILED, graph_key
from mmm_demo.fits.trace import data_params, table_sha256
from mmm_demo.jobs.table import hold_to_champion
from mmm_demo.reports.figures import sweep_figures
from mmm_demo.settings.dimension import Value
from mmm_demo.settings.experiment import ConfigError
from mmm_demo.settings.experiment_file import to_yaml
from mmm_demo.settings.run_schema import Say
from mmm_demo.settings.sweep import Space
from mmm_demo.sources.market import MarketingData, load_market
from mmm_demo.store.locks import locked
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, find_tagged, open_run, store_errors
from mmm_demo.sweeps.runs import Tell, Trials
from mmm_demo.sweeps.search import Asked, Search
from mmm_demo.sweeps.text import sweep_page
from mmm_demo.sweeps.workers import Workers, start_workers
from mmm_demo.tables.lift import lift_sha256

JOURNAL = "mlruns/sweeps/studies.log"
LOGGED = ("sampler", "objective", "folds", "draws", "tune", "seed")  # of the sweep
IDENTITY, PUBLISHED = "sweep.identity", "sweep.published"
SWEEP = {"mmm.kind": "sweep"}


@dataclass(frozen=True)
class SweepResult:
    """What a sweep made.

    Attributes
    ----------
    run
        The sweep's run.
    trials
        See `Search.table`.
    best
        The best passing trial; None when none passed.
    file
        Its experiment file; None when no trial was left to do.
    """

    run: Run
    trials: pd.DataFrame
    best: Asked | None
    file: Path | None


@store_errors()
def run_sweep(
    space: Space,
    root: Path,
    say: Say,
    tell: Tell,
    *,
    workers: int,
    scheduler: str | None = None,
    storage: str | None = None,
) -> SweepResult:
    """Do the trials of a sweep that are left, on resident workers; a killed sweep is resumed.

    Parameters
    ----------
    space
        Sweep and experiment.
    root
        The project's folder.
    say, tell
        Progress messages; told of each trial.
    workers
        Processes on this machine, without a scheduler.
    scheduler
        Address of a Dask scheduler, whose workers do the trials.
    storage
        URL of the database that keeps the studies; by default a journal file in the project.

    Raises
    ------
    ConfigError, DataError
        When the experiment or its data are not usable.
    RuntimeError
        When a worker died; the same command goes on from there.
    """
    base = space.base
    data = load_market(base.data, base.model, root)
    hold_to_champion(base, data, say)
    identity = space.sweep.identity(_data_sha256(data), base)
    address = storage or str(root / JOURNAL)
    if scheduler and space.sweep.stops_early and "://" not in address:
        raise ValueError(
            f"workers of {scheduler} tell the study whether a trial is hopeless, and cannot read "
            f"{address}; name a database: --storage postgresql+psycopg://..."
        )
    with ExitStack() as stack:
        busy = f"another process does the sweep {space.sweep.name}; waiting for it"
        lockable = address if "://" in address else f"sqlite:///{address}"  # beside the journal
        stack.enter_context(locked(lockable, f"sweep-{identity}", lambda: say(busy)))
        search = Search(address, space.sweep, identity)
        known = find_tagged(SWEEP | {IDENTITY: identity})
        done = find_tagged({IDENTITY: identity, PUBLISHED: str(search.finished)})
        if done and search.finished >= space.sweep.size:
            done[-1].close_if_open()
            say(f"all {search.finished} trials were done before, by run {done[-1].run_id}")
            return SweepResult(done[-1], search.table(), search.best, None)
        if search.finished:
            say(f"{search.finished} of {space.sweep.size} trials were done before")
        elif not known and (others := find_tagged(SWEEP | {"sweep": space.sweep.name})):
            say(
                f"run {others[-1].run_id[:8]} is a sweep of this name with other data, settings or "
                "defaults of `sampler`; it stays as it is, and this one begins anew"
            )
        again = known[-1] if known else None
        tags = {"market": base.market, "sweep": space.sweep.name, IDENTITY: identity}
        run = stack.enter_context(
            open_run(f"sweep {space.sweep.name}", "sweep", again=again, tags=tags)
        )
        _describe(run, space, data)
        started = stack.enter_context(start_workers(workers, scheduler, trials_each(space)))
        _do_trials(Trials(run, space, search, started.executor, root, tell), started)
        return _publish(run, space, search, root)


def _data_sha256(data: MarketingData) -> str:
    tests = "" if data.lift_tests is None else lift_sha256(data.lift_tests)
    return f"{table_sha256(data.table, data.calendar)} {tests}"


def _describe(run: Run, space: Space, data: MarketingData) -> None:
    sweep, base = space.sweep, space.base
    params: dict[str, object] = {f"sweep.{name}": getattr(sweep, name) for name in LOGGED}
    params |= {"sweep.experiment": base.name, **data_params(data.table, base.model, data.calendar)}
    run.log(params=params)
    searched = (f"{name}: {of}" for name, of in sweep.search.items())
    run.log_text("\n".join(searched) + "\n", "search.txt")
    run.log_text(to_yaml(base), "experiment.yaml")


def trials_each(space: Space) -> int | None:
    """Return after how many trials a worker must make place, as compiled graphs stay in memory.

    None where there are few enough for a process to keep them all.
    """
    graphs = 1
    for name, of in space.sweep.search.items():
        graphs *= len({_graph(space, name, value) for value in of.values()}) or 1
    return None if graphs <= MOST_COMPILED else MOST_COMPILED


def _graph(space: Space, name: str, value: Value) -> str:
    try:
        return graph_key(space.experiment({name: value}).model, None, space.longest_lag)
    except ConfigError:  # possible together with others only
        return str(value)


def _do_trials(trials: Trials, workers: Workers) -> None:
    try:
        while True:
            while len(trials.running) < max(1, workers.count()) and trials.start_next():
                pass
            if not trials.running:
                return
            trials.settle()
    except workers.lost as fault:
        raise RuntimeError(
            f"worker processes died, perhaps for want of memory ({fault or type(fault).__name__}); "
            "finished trials are kept: run the same command again, with fewer workers"
        ) from None
    finally:
        trials.abandon()


def _publish(run: Run, space: Space, search: Search, root: Path) -> SweepResult:
    """Publish table, plots and the experiment file of the best trial."""
    trials, best, sweep = search.table(), search.best, space.sweep
    publisher = Publisher(run, root)
    mark = _mark(f"{sweep.name}_{len(trials)}_trials", publisher)
    publisher.table(trials, mark)
    publisher.figures(sweep_figures(trials, search.importances(), sweep, mark))
    counts = {f"sweep.{name}": float(n) for name, n in trials["verdict"].value_counts().items()}
    file = None
    if best is not None:
        experiment = space.experiment(best.choice, f"{sweep.name}_best")
        file = publisher.experiment(to_yaml(experiment), f"{mark}_best")
        counts["sweep.best"] = float(trials["value"][trials["number"] == best.number].item())
    run.log(metrics=counts)
    run.describe(sweep_page(sweep, trials, best, file))
    run.log(tags={PUBLISHED: str(len(trials))})  # last: until then, it is to be done again
    return SweepResult(run, trials, best, file)


def _mark(words: str, publisher: Publisher) -> str:
    """Return words for names of files that no process before, killed while it wrote them, took.

    The number of trials is among the words, because a sweep that is gone on with has more.
    """
    later = (f"{words}_again_{number}" for number in itertools.count(2))
    names = itertools.chain([words], later)
    written = {path.name for path in publisher.outputs.rglob(f"*{publisher.run.run_id[:8]}*")}
    return next(name for name in names if not any(f"{name}_" in known for known in written))
