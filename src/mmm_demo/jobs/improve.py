"""From a flag to a proven remedy: candidates as child runs, a table, a page, an experiment file."""

import json
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.checks.proof import Bundle
from mmm_demo.checks.remedies import EXPERIMENT_ONLY, event_lines
from mmm_demo.evidence import scores
from mmm_demo.evidence.improve import AS_IT_IS, Recommendation, Tried, recommend
from mmm_demo.fits.ladder import MOST_COMPILED
from mmm_demo.fits.trace import data_params, table_sha256
from mmm_demo.jobs.table import label_tag
from mmm_demo.reports.improve_page import improve_markdown, improve_page
from mmm_demo.settings.changes import Settings, changed, told
from mmm_demo.settings.experiment import ConfigError, ExperimentConfig
from mmm_demo.settings.experiment_file import flat_params, to_yaml
from mmm_demo.settings.run_schema import Say, by_channel
from mmm_demo.settings.wording import amount, number_of, seconds
from mmm_demo.sources.market import MarketingData, load_market
from mmm_demo.store import registry
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, find_run, open_run, store_errors, temporary_folder
from mmm_demo.sweeps.candidate import TRACE, Candidate, Judged, not_fitted
from mmm_demo.sweeps.rounds import Outcome, try_remedies
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_candidate
from mmm_demo.sweeps.workers import Workers, start_workers
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.lift import lift_sha256

SHOWN = 12  # characters of a hash that people compare
CHECKS = "checks.json"


class NotImprovableError(ValueError):
    """A run that no candidate can be held against."""


@dataclass(frozen=True)
class ImproveResult:
    """What `improve` found.

    Attributes
    ----------
    run
        Its own.
    source
        The fit run that it is about.
    outcomes
        The fit as it is first, then every candidate.
    found
        The recommendation; None where nothing was fitted.
    sentences
        What a person should know, in order.
    page
        Path of the page.
    file
        Experiment file of the recommended fit; None when there is none.
    text
        Markdown of its run's page, which a notebook shows.
    """

    run: Run
    source: Run
    outcomes: tuple[Outcome, ...]
    found: Recommendation | None
    sentences: tuple[str, ...]
    page: Path
    file: Path | None
    text: str

    @property
    def table(self) -> pd.DataFrame:
        """Every fit with its flags, forecast and seconds; empty where nothing was fitted."""
        return pd.DataFrame() if self.found is None else self.found.table

    def _repr_markdown_(self) -> str:
        return self.text


@store_errors()
def run_improve(
    run_id: str, root: Path, say: Say, *, workers: int, scheduler: str | None = None
) -> ImproveResult:
    """Fit the remedies of a fit's flags, and say which of them to go on with, if any.

    Parameters
    ----------
    run_id
        Fit run that passed its gate, or the first characters of its id.
    root, say
        Project folder, progress messages.
    workers
        Processes on this machine, without a scheduler.
    scheduler
        Address of a Dask scheduler, whose workers fit the candidates.

    Raises
    ------
    NotImprovableError
        When the run is no fit, has no verdict, was refused by its gate, or its data are others now.
    BundleRefused
        When its version does not prove its pass.
    """
    source = find_run(run_id)
    _require_passed(source)
    bundle = registry.prove_version(registry.version_of(source))
    data = _same_data(source, bundle, root)
    name, tags = bundle.experiment.name, {"market": bundle.experiment.market, **label_tag(data)}
    with (
        open_run(f"improve {source.run_id[:8]}", "improve", tags=tags) as run,
        Publisher(run, root) as publisher,
    ):
        run.log(params={"improve.fit_run": source.run_id, "improve.experiment": name})
        model = bundle.experiment.model
        run.log(params=data_params(data.table, model, model.calendar))
        flags = bundle.gate.report.flags
        say(f"run {source.run_id[:8]}: {number_of(len(flags), 'flag')}")
        with start_workers(workers, scheduler, MOST_COMPILED) as started:
            fits = Fits(run, bundle.experiment, data, root, say, started)
            outcomes = try_remedies(bundle.experiment, flags, fits.all, say)
        return _publish(publisher, source, bundle, data.label, outcomes)


def _require_passed(source: Run) -> None:
    tags = source.client.get_run(source.run_id).data.tags
    kind, gate = tags.get("mmm.kind", "unknown"), tags.get("gate")
    if kind != "fit":
        raise NotImprovableError(
            f"run {source.run_id} is of kind {kind}; only fits can be improved: give a run of "
            "kind fit"
        )
    if gate is None:
        raise NotImprovableError(
            f"run {source.run_id} ended before it was judged, so nothing is known of it: fit it "
            "again with: mmm-demo fit"
        )
    if gate != "passed":
        raise NotImprovableError(
            f"the gate refused run {source.run_id}: no result of it may be used, and so none can "
            "be improved. Its page says which checks failed and what to do next; come back with a "
            "fit that passed"
        )


def _same_data(source: Run, bundle: Bundle, root: Path) -> MarketingData:
    """Load the data anew and refuse others than the run's: candidates must explain the same."""
    experiment = bundle.experiment
    data = load_market(experiment.data, experiment.model, root)
    tests = [
        "none" if of is None else lift_sha256(of)
        for of in (bundle.fitted.lift_tests, data.lift_tests)
    ]
    pairs = {
        "weekly table": (table_sha256(bundle.fitted.table), table_sha256(data.table)),
        "lift tests": (tests[0], tests[1]),
    }
    for what, (then, now) in pairs.items():
        if then != now:
            raise NotImprovableError(
                f"the {what} of {data.source} differ from those of run {source.run_id} (sha256 "
                f"{now[:SHOWN]} now, {then[:SHOWN]} then), and flags of one say nothing about the "
                "other: fit it anew with mmm-demo fit, then improve that run"
            )
    return data


class Fits:
    """Candidates at work, each in a run of its own below the job's.

    Parameters
    ----------
    run
        The job's run.
    base, data
        Experiment of the fit as it is, with its scaling, and its data.
    root, say
        Project folder, progress messages.
    workers
        Where candidates are fitted.
    """

    def __init__(
        self,
        run: Run,
        base: ExperimentConfig,
        data: MarketingData,
        root: Path,
        say: Say,
        workers: Workers,
    ) -> None:
        self.run, self.base, self.data = run, base, data
        self.root, self.say, self.workers = root, say, workers
        self._open: dict[Future[Judged], tuple[int, Settings, Run]] = {}

    def all(self, number: int, asked: Sequence[Settings]) -> list[Outcome]:
        """Fit a round, and return the outcomes in the order of what was asked."""
        done: dict[int, Outcome] = {}
        waiting = list(enumerate(asked))
        try:
            while waiting or self._open:
                while waiting and len(self._open) < max(1, self.workers.count()):
                    place, settings = waiting.pop(0)
                    if (ended := self._start(number, place, settings)) is not None:
                        done[place] = ended
                if self._open:
                    done |= self._settle()
        except self.workers.lost as fault:
            raise RuntimeError(
                "worker processes died, perhaps for want of memory "
                f"({fault or type(fault).__name__}); run the same command again, with fewer workers"
            ) from None
        finally:
            for *_, child in self._open.values():
                child.close("KILLED")
            self._open.clear()
        return [done[place] for place in sorted(done)]

    def _start(self, number: int, place: int, settings: Settings) -> Outcome | None:
        """Hand a candidate to a worker; one that cannot be fitted ends at once."""
        name = told(settings) or AS_IT_IS
        try:
            experiment = changed(self.base, settings)
            data = self.data
            if settings:  # another lag needs more weeks than the table may have
                data = load_market(experiment.data, experiment.model, self.root)
        except (ConfigError, DataError) as fault:
            self.say(f"{name}: cannot be fitted: {fault}")
            return Outcome.of(settings, self.base, not_fitted(f"it cannot be fitted: {fault}"))
        tags = {"market": self.base.market, "improve.round": str(number)}
        child = self.run.child(f"candidate: {name}", "candidate", tags)
        child.log(params=flat_params(experiment) | {"improve.changes": name})
        child.log_text(to_yaml(experiment), "experiment.yaml")
        task = Candidate(experiment, data.table, data.lift_tests)
        future = self.workers.executor.submit(do_candidate, task, versions())
        self._open[future] = (place, settings, child)
        return None

    def _settle(self) -> dict[int, Outcome]:
        """Wait for a candidate to end, and record all that have ended."""
        ended: dict[int, Outcome] = {}
        for future in wait(self._open, return_when=FIRST_COMPLETED).done:
            judged = future.result()
            place, settings, child = self._open.pop(future)
            outcome = Outcome.of(settings, self.base, judged)
            _record(child, outcome.tried, judged)
            self.say(_line(outcome.tried))
            ended[place] = outcome
        return ended


def _line(tried: Tried) -> str:
    if tried.unusable:
        return f"{tried.name}: {tried.unusable}"
    flags = ", ".join(sorted(tried.flags)) or "none"
    return f"{tried.name}: CRPS {amount(tried.crps)}, {seconds(tried.seconds)}; flags: {flags}"


def _record(child: Run, tried: Tried, judged: Judged) -> None:
    metrics = judged.report.metrics() | {"seconds.candidate": judged.seconds}
    metrics["gate.flags"] = float(len(judged.report.flags))
    child.log_text(json.dumps(judged.report.to_dict(), indent=2), CHECKS)
    if not judged.roas.empty:
        metrics |= scores.backtest_scores(judged.forecast)
        for end, name in (("median", "roas"), ("lower_94", "roas_lower_94")):
            metrics |= by_channel(name, judged.roas, end)
        metrics |= by_channel("roas_upper_94", judged.roas, "upper_94")
        child.log_text(judged.roas.to_csv(index=False), scores.ROAS)
        child.log_text(judged.forecast.to_csv(index=False), scores.BACKTEST)
    if judged.trace:
        with temporary_folder() as folder:
            path = folder / TRACE
            path.write_bytes(judged.trace)
            child.log_file(path)
    verdict = "refused" if tried.refused else "usable" if not tried.unusable else "not assessable"
    tags = {"candidate.verdict": verdict, "candidate.flags": ", ".join(sorted(tried.flags))}
    tags["candidate.reason"] = tried.unusable
    child.log(metrics=metrics, tags={name: text or "none" for name, text in tags.items()})
    child.close()


def _publish(
    publisher: Publisher, source: Run, bundle: Bundle, label: str, outcomes: Sequence[Outcome]
) -> ImproveResult:
    run, experiment = publisher.run, bundle.experiment
    found = recommend([of.tried for of in outcomes]) if outcomes else None
    file, chosen = None, None
    if found is not None and found.chosen is not None:
        chosen = outcomes[found.chosen]
        name = f"{experiment.name}_improved"
        better = changed(experiment, chosen.tried.settings, name)
        words = f"{experiment.description} Improved by: {chosen.tried.name}.".strip()
        file = publisher.experiment(to_yaml(replace(better, description=words)), name)
    sentences = _sentences(bundle, outcomes, found)
    tried = [of.tried for of in outcomes]
    title = f"Remedies of {experiment.name}, run {source.run_id[:8]} {label}".rstrip()
    html = improve_page(title, bundle.gate.report, tried, found, sentences)
    page = publisher.page(html, f"improve_{experiment.name}")
    if found is not None:
        plain = found.table.assign(flags=[", ".join(names) for names in found.table["flags"]])
        publisher.table(plain, f"improve_{experiment.name}")
    run.log(
        params={"improve.recommended": chosen.tried.name if chosen else "none"},
        metrics={
            "improve.candidates": float(max(len(outcomes) - 1, 0)),
            "improve.flags_before": float(len(bundle.gate.report.flags)),
        }
        | ({"improve.flags_after": float(len(chosen.tried.flags))} if chosen else {}),
    )
    text = improve_markdown(found, sentences, file)
    run.describe(text)
    return ImproveResult(run, source, tuple(outcomes), found, sentences, page, file, text)


def _sentences(
    bundle: Bundle, outcomes: Sequence[Outcome], found: Recommendation | None
) -> tuple[str, ...]:
    """Say what came of it, what stays flagged, and what no fit can answer."""
    flags = bundle.gate.report.flags
    if not flags:
        return ("Nothing is flagged: leave it as it is.",)
    first = (
        found.reason
        if found is not None
        else "No setting of this version is known to clear its flags; nothing was fitted."
    )
    kept = flags
    if found is not None and found.chosen is not None:
        chosen = outcomes[found.chosen]
        names = {check.name for check in chosen.judged.report.flags}
        kept = [*chosen.judged.report.flags]
        kept += [of for of in flags if of.name in EXPERIMENT_ONLY and of.name not in names]
    told_first = [first if found is None or found.chosen is None else f"Recommended: {first}"]
    return (*told_first, *_kept(kept), *_events(flags, bundle))


def _kept(kept: Sequence[Check]) -> list[str]:
    by_data = [check for check in kept if check.name in EXPERIMENT_ONLY]
    return [
        f"No fit of these data can clear {check.name} ({check.where}), only an experiment: "
        f"{check.advice}."
        for check in by_data
    ]


def _events(flags: Sequence[Check], bundle: Bundle) -> list[str]:
    lines = event_lines(flags, bundle.fitted.weeks)
    if not lines:
        return []
    return [
        "If you know what happened in the weeks that the flags name, say so as events, in the CSV "
        f"of data.events (name,start,end): {'; '.join(lines)}."
    ]
