"""Fitting a run again from its own artifacts, as a run of its own that touches nothing else."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from mmm_demo.checks import proof
from mmm_demo.checks.gate import GateFile
from mmm_demo.evidence.reproduce import (
    NOT_RECORDED,
    Change,
    Reproduction,
    changed,
    compare_draws,
)
from mmm_demo.fits.environment import COORDINATES, INTERCEPT, PREFIX, STRICT, environment
from mmm_demo.fits.ladder import Attempt, read_attempt
from mmm_demo.fits.sampler import Sampling, sample_posterior
from mmm_demo.fits.trace import lift_table, load_trace, save_trace, table_sha256, weekly_table
from mmm_demo.settings.experiment import ExperimentConfig, free_parameters
from mmm_demo.settings.experiment_file import flat_params
from mmm_demo.settings.names import bullets
from mmm_demo.settings.run_schema import Bar, Say
from mmm_demo.settings.wording import drew
from mmm_demo.sources.market import load_market
from mmm_demo.store.runs import Run, find_run, git_tags, open_run, store_errors, temporary_folder
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.lift import lift_sha256

ARTIFACT = "reproduction.json"
DATA, LIFT = "data.sha256", "data.lift_tests.sha256"
DECIDES_DRAWS = ("model.", "prior.", "sampler.")
COMMIT, DIRTY = "mlflow.source.git.commit", "git.dirty"
HEADER = ("what", "then", "now", "can change draws")
SHOWN = 12  # characters of a hash that people compare


class NotReproducibleError(ValueError):
    """A run that cannot be fitted again."""


@dataclass(frozen=True)
class Source:
    """A fit run and what it left.

    Attributes
    ----------
    run_id, params, tags
        Of the run.
    experiment
        As it was resolved for the fit.
    trace
        As it is stored.
    table, lift_tests
        What it was fitted on.
    attempt
        The one that was kept.
    hashes
        Sha256 of `trace.nc` and `config.json` as they are now.
    sealed
        The same as `gate.json` has them; empty when the run got no verdict.
    """

    run_id: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    experiment: ExperimentConfig
    trace: xr.DataTree
    table: pd.DataFrame
    lift_tests: pd.DataFrame | None
    attempt: Attempt
    hashes: Mapping[str, str]
    sealed: Mapping[str, str]


@store_errors()
def run_reproduce(run_id: str, root: Path, say: Say, bar: Bar = nullcontext) -> Reproduction:
    """Fit a run again from its own artifacts and hold the draws against each other.

    A run that did not pass the gate may be fitted again too: its draws are compared, and nothing is
    read from them.

    Parameters
    ----------
    run_id
        Fit run, or the first characters of its id.
    root, say, bar
        Project folder, progress messages, how far the sampler is.

    Raises
    ------
    NotReproducibleError
        When the run is no fit, or left no draws.
    """
    found = find_run(run_id)
    with temporary_folder() as folder:
        source = read_source(found, folder)
        with open_run(f"reproduce {source.run_id[:8]}", "reproduction") as run:
            run.log(params={"reproduce.fit_run": source.run_id})
            say(f"fitting run {source.run_id} again, {source.attempt}")
            sampling = refit(source, say, bar)
            save_trace(sampling.trace, folder / "again.nc")
            again = load_trace(folder / "again.nc")
            parameters = free_parameters(source.experiment.model)
            distance = compare_draws(source.trace, again, parameters)
            done = Reproduction(source.run_id, distance, differences(source, sampling, root))
            _log(run, done)
    return done


def read_source(run: Run, folder: Path) -> Source:
    """Read what a fit run left; nothing comes from anywhere else.

    Raises
    ------
    NotReproducibleError
        When the run is no fit, or left no draws.
    """
    stored = run.client.get_run(run.run_id).data
    kind = stored.tags.get("mmm.kind", "unknown")
    if kind != "fit":
        raise NotReproducibleError(
            f"run {run.run_id} is of kind {kind}; only fits can be fitted again: "
            "give a run of kind fit"
        )
    for name in (proof.TRACE, proof.CONFIG):
        try:
            run.download(name, folder)
        except FileNotFoundError as missing:
            raise NotReproducibleError(
                f"{missing}: it ended before its draws were logged; fit it again with: mmm-demo fit"
            ) from None
    experiment = proof.read_config(folder)
    trace = load_trace(folder / proof.TRACE)
    return Source(
        run_id=run.run_id,
        params=stored.params,
        tags=stored.tags,
        experiment=experiment,
        trace=trace,
        table=weekly_table(trace, experiment.model),
        lift_tests=lift_table(trace),
        attempt=_kept(run.run_id, stored.params, stored.tags),
        hashes={name: proof.sha256(folder / name) for name in (proof.TRACE, proof.CONFIG)},
        sealed=_sealed(run, folder),
    )


def refit(source: Source, say: Say, bar: Bar) -> Sampling:
    """Sample the source's model once more, as its kept attempt did."""
    sampler, started = source.experiment.sampler, time.monotonic()
    with bar() as watch:
        sampling = sample_posterior(
            source.experiment.model,
            source.table,
            sampler,
            source.attempt,
            lift_tests=source.lift_tests,
            watch=watch,
        )
    whole = time.monotonic() - started
    say(drew(sampler.chains, sampler.draws, sampling.seconds, whole))
    return sampling


def differences(source: Source, sampling: Sampling, root: Path) -> tuple[Change, ...]:
    """Return everything that is not as it was at the fit."""
    then = {
        name.removeprefix(PREFIX): value
        for name, value in source.params.items()
        if name.startswith(PREFIX)
    }
    if then:  # runs from before there was a choice do not say it
        then = {COORDINATES: INTERCEPT} | then
    now = environment()
    return (
        *_files(source),
        *_settings(source),
        *_code(source.tags, git_tags()),
        *changed(then, now),
        *_cache(source.tags, sampling, {then.get("arithmetic"), now["arithmetic"]} == {STRICT}),
        *_source_today(source, root),
    )


def _files(source: Source) -> list[Change]:
    """Compare the run's files with what the run wrote down about them."""
    found = [
        (name, source.sealed.get(name, digest), digest) for name, digest in source.hashes.items()
    ]
    params = source.params
    calendar = source.experiment.model.calendar
    digest = table_sha256(source.table, calendar)
    found.append(("weekly table of trace.nc", params.get(DATA), digest))
    if source.lift_tests is not None:
        found.append(("lift tests of trace.nc", params.get(LIFT), lift_sha256(source.lift_tests)))
    elif LIFT in params:
        found.append(("lift tests of trace.nc", params[LIFT], "none"))
    return _others(found)


def _settings(source: Source) -> list[Change]:
    """Compare `config.json` with the params of the run, which no one can change."""
    return [
        Change(name, source.params[name], str(value))
        for name, value in flat_params(source.experiment).items()
        if name.startswith(DECIDES_DRAWS) and source.params.get(name, str(value)) != str(value)
    ]


def _code(then: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Compare the commits; what was not committed may be anything."""
    told = []
    for tags in (then, now):
        edited = " with changes" if tags.get(DIRTY) == "true" else ""
        told.append(_short(tags.get(COMMIT, NOT_RECORDED)) + edited)
    known = COMMIT in then and COMMIT in now
    changes = any(tags.get(DIRTY) == "true" for tags in (then, now))
    if told[0] == told[1] and not changes:
        return []
    return [Change("code", told[0], told[1], explains=known)]


def _cache(then: Mapping[str, str], sampling: Sampling, strict: bool) -> list[Change]:
    """Tell of a cold compile cache, whose code rounds otherwise unless arithmetic is strict."""
    told = then.get("compile_cache", NOT_RECORDED), sampling.compile_cache
    if "cold" not in told:
        return []
    return [Change("compile cache", *told, explains=not strict)]


def _source_today(source: Source, root: Path) -> list[Change]:
    """Compare with what the data's source gives today, where nothing must be downloaded."""
    data, recorded = source.experiment.data, source.params.get(DATA, NOT_RECORDED)
    name = "data at the source"
    if data.source not in ("simulated", "csv"):
        return [Change(name, _short(recorded), "not looked up: a download", explains=False)]
    try:
        market = load_market(data, source.experiment.model, root)
    except (DataError, OSError) as fault:
        return [Change(name, _short(recorded), f"cannot be read: {fault}", explains=False)]
    found = [(name, recorded, table_sha256(market.table, market.calendar))]
    tests = "none" if market.lift_tests is None else lift_sha256(market.lift_tests)
    found.append(("lift tests at the source", source.params.get(LIFT, "none"), tests))
    # The fit is made again from its own table, so no draw comes from a changed source.
    return _others(found, explain=False)


def _others(found: Sequence[tuple[str, str | None, str]], *, explain: bool = True) -> list[Change]:
    """Return the hashes that are others now; one that was not recorded explains nothing."""
    return [
        Change(what, _short(then or NOT_RECORDED), _short(now), explain and then is not None)
        for what, then, now in found
        if then != now
    ]


def _kept(run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> Attempt:
    try:
        return read_attempt(params, tags.get("attempts", "?"))
    except ValueError as error:
        raise NotReproducibleError(
            f"run {run_id} does not say how its draws were made: {error}"
        ) from None


def _sealed(run: Run, folder: Path) -> dict[str, str]:
    try:
        gate = run.download(proof.GATE, folder)
    except FileNotFoundError:  # the fit ended before a verdict
        return {}
    return GateFile.from_json(gate.read_text("utf-8")).files


def _short(text: str) -> str:
    """Return a hash as people compare it; other words whole."""
    return text[:SHOWN] if len(text) >= 40 and text.isalnum() else text


def _log(run: Run, done: Reproduction) -> None:
    run.log_text(json.dumps(done.to_dict(), indent=2, allow_nan=False) + "\n", ARTIFACT)
    reasons = "; ".join(str(item) for item in done.reasons) or "none"
    distance = done.distance
    measured = {"errors": distance.errors, "sds": distance.sds}
    run.log(
        params={"reproduce.result": done.result, "reproduce.reasons": reasons},
        metrics={
            f"reproduce.{name}": value for name, value in measured.items() if math.isfinite(value)
        },
        tags={"reproduced": str(done.reproduced).lower()},
    )
    run.describe("\n".join(bullets(done.sentences())))
