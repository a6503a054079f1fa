"""Seeded bad fits: whether each is refused, and by the check that its fault has.

    uv run python benchmarks/bad_fits.py

One real fit of the demo market, examined by a real battery, becomes champion. Every bad version is
made from its files (`forgeries`). Each is promoted, made champion in a client, and planned with
after a client without this package made it champion. Ends with code 1 when one was accepted, or
refused by another check than that of its fault.
"""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from bad_cases import NEVER, Case, all_cases
from forgeries import Ground, draws, forged, part, put
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from scratch import scratch_project

from mmm_demo.checks.gate import GateRefused
from mmm_demo.checks.proof import FILES, TRACE
from mmm_demo.fits.trace import load_trace, weekly_table
from mmm_demo.jobs.evidence import run_evidence
from mmm_demo.jobs.fit import run_fit
from mmm_demo.jobs.plan import run_optimize
from mmm_demo.jobs.promote import run_promote
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.store import registry
from mmm_demo.store.champion import CHAMPION
from mmm_demo.store.runs import StoreError

HERE = "MMM_BAD_FITS"  # set in the process that runs inside the scratch project
MARKET, NAME, DAY = "demo", "mmm_demo", 86_400_000  # a day in milliseconds
REQUIRE = ["posterior_predictive", "placebo"]  # a battery of the fit and one of refits
NUMBER = r"(?:nan|-?inf|-?[\d.]+(?:e[-+]?\d+)?)"
# What refuses: a check of the proof or of a report, a limit, the evidence, the store.
NAMED = (
    r"check '([^']+)' failed",
    rf"(\w+) {NUMBER} [<>]=? {NUMBER}[^|\n]*?: (?:FAILED|NOT ASSESSABLE)",
    r"(\w+ was not measured)",
    r"(contradicts itself|gate\.rhat_max|gate\.max_age_days|gate\.max_gap_weeks)",
    r"(evidence\.json is about (?:another \S+|run))",
    r"(recorded promotion|takes no copies|its market|is the champion|skip the contest|no stage)",
)


@dataclass(frozen=True)
class Answer:
    """Whether something was refused by the expected check, and what was said."""

    refused: bool
    said: str


Answers = dict[str, Answer]


# The ways to use a version


def named(refusal: Exception) -> str:
    """Return which checks a refusal names; empty when none."""
    found = [name for pattern in NAMED for name in re.findall(pattern, str(refusal))]
    return ", ".join(dict.fromkeys(found))


def ask(call: Callable[[], object], expected: str) -> Answer:
    """Try something that must be refused by a check whose name is expected."""
    try:
        call()
    except (GateRefused, StoreError, MlflowException) as refusal:
        found = named(refusal)
        said = found or f"no named check: {refusal}"
        return Answer(bool(found and re.search(expected, found)), said)
    return Answer(False, "ACCEPTED")


def crown(version: ModelVersion) -> None:
    """Move the champion past the gated store, as a client without this package can."""
    store = SqlAlchemyStore(mlflow.get_registry_uri())
    store.set_registered_model_alias(NAME, CHAMPION, str(version.version))


def promote(version: ModelVersion | None = None, rollback: bool = False) -> None:
    """Promote a version, or roll back."""
    number = None if version is None else int(version.version)
    run_promote(MARKET, number, "benchmark", rollback, quiet, quiet)


def plan(ground: Ground, expected: str, **budget: object) -> Answer:
    """Plan with the champion of now, which must be refused."""
    return ask(lambda: run_optimize(MARKET, budget, ground.root, quiet), expected)


def quiet(_: object) -> None:
    """Say nothing."""


def ways(ground: Ground, case: Case) -> Answers:
    """Try every way to use a bad version; the good champion is back afterwards."""
    version, client, answers = case.make(ground), MlflowClient(), {}
    number = str(version.version)
    if case.promote:
        answers["promote"] = ask(lambda: promote(version), case.promote)
    answers["by hand"] = ask(
        lambda: client.set_registered_model_alias(NAME, CHAMPION, number), "recorded promotion"
    )
    now = registry.find_alias(MARKET, CHAMPION).version
    if str(now) != str(ground.version.version):  # whatever was said
        answers["champion"] = Answer(False, f"MOVED to version {now}")
    if case.plan:
        crown(version)
        answers["plan"] = plan(ground, case.plan)
    crown(ground.version)
    return answers


def by_hand(ground: Ground) -> Iterator[tuple[str, Answers]]:
    """Try what a client can do to a champion without promoting."""
    client, good = MlflowClient(), str(ground.version.version)
    champion = f"models:/{NAME}/{good}"
    for name, call, check in (
        (
            "champion taken away",
            lambda: client.delete_registered_model_alias(NAME, CHAMPION),
            "skip the contest",
        ),
        ("champion deleted", lambda: client.delete_model_version(NAME, good), "is the champion"),
        (
            "copy of a version",
            lambda: client.copy_model_version(champion, NAME),
            "takes no copies",
        ),
        (
            "market renamed",
            lambda: client.rename_registered_model(NAME, "mmm_north"),
            "its market",
        ),
    ):
        yield name, {"by hand": ask(call, check)}


def by_force(ground: Ground) -> Iterator[tuple[str, Answers]]:
    """Try what somebody can do who moves aliases freely."""
    never = forged(lambda folder: None, "tags")(ground)
    crown(never)
    answers = {"plan": plan(ground, NEVER)}
    yield "champion moved by force to a version never promoted", answers
    crown(ground.version)
    bigger = draws(part(put, "saturation_beta", lambda values: values * 1.6))
    lost = forged(bigger, "gate")(ground)
    crown(lost)
    again = ask(lambda: promote(lost), f"refresh_roas_outside|{NEVER}")
    yield "champion moved by force, then promoted", {"promote": again}
    crown(ground.version)
    MlflowClient().set_registered_model_alias(NAME, registry.PREVIOUS, str(lost.version))
    back = ask(lambda: promote(rollback=True), f"refresh_roas_outside|{NEVER}")
    yield "`previous` set by hand, then rolled back to", {"rollback": back}
    crown(ground.version)


def expired(ground: Ground) -> Iterator[tuple[str, Answers]]:
    """Try to plan with a champion made too long ago, or too long after its data."""
    for days in (366, 800):
        age(ground.version, days)
        yield f"champion made {days} days ago", {"plan": plan(ground, "max_age_days")}
        age(ground.version, -days)
    table = weekly_table(load_trace(ground.files / TRACE), ground.experiment.model)
    for weeks in (15, 60):
        late = table["Week"].iloc[-1] + pd.Timedelta(days=7 * weeks)
        answer = plan(ground, "max_gap_weeks", start=f"{late:%Y-%m-%d}")
        yield f"data end {weeks - 1} weeks before the window", {"plan": answer}


def age(version: ModelVersion, days: int) -> None:
    """Make a version older, in the database."""
    with sqlite3.connect(mlflow.get_registry_uri().removeprefix("sqlite:///")) as database:
        database.execute(
            "UPDATE model_versions SET creation_time = creation_time - ? "
            "WHERE name = ? AND version = ?",
            (days * DAY, NAME, int(version.version)),
        )


# The benchmark


def good_fit(root: Path) -> Ground:
    """Fit, examine and promote the demo market; a plan with it must be possible."""
    overrides = {"gate": {"require": REQUIRE}}
    experiment = load_experiment(root / "experiments" / "demo.yaml", overrides)
    fit = run_fit(experiment, root, quiet)
    evidence = run_evidence(fit.run.run_id, ["placebo"], quiet, quiet).evidence
    promote(fit.version)
    run_optimize(MARKET, {}, root, quiet)
    files = root / "good"
    files.mkdir()
    for name in FILES:
        fit.run.download(name, files)
    passed = fit.report.require()
    return Ground(root, fit.run, experiment, passed, fit.version, files, evidence)


def outcomes(ground: Ground) -> Iterator[tuple[str, Answers]]:
    """Try everything, a case at a time."""
    for case in all_cases(ground):
        yield case.name, ways(ground, case)
    yield from by_hand(ground)
    yield from by_force(ground)
    yield from expired(ground)


def run(root: Path) -> int:
    """Run every case; return the exit code."""
    started = time.monotonic()
    ground = good_fit(root)
    copy = forged(lambda folder: None, "tags")(ground)
    promote(copy)  # what is refused below is refused for its fault, not for being a copy
    run_optimize(MARKET, {}, root, quiet)
    crown(ground.version)
    print(f"good fit and a copy of it: promoted, planned with ({time.monotonic() - started:.0f} s)")
    total, accepted = 0, []
    for name, answers in outcomes(ground):
        total += 1
        if not all(answer.refused for answer in answers.values()):
            accepted.append(name)
        mark = "NOT REFUSED" if name in accepted else "refused"
        print(f"{mark:<11} {name} | {_line(answers)}", flush=True)
    print(f"refused {total - len(accepted)} of {total} in {time.monotonic() - started:.0f} s")
    return 1 if accepted else 0


def _line(answers: Answers) -> str:
    """Say what refused each way; ways with the same answer together."""
    by_said: dict[str, list[str]] = {}
    for way, answer in answers.items():
        by_said.setdefault(answer.said, []).append(way)
    return "; ".join(f"{', '.join(ways)}: {said}" for said, ways in by_said.items())


def main() -> None:
    """Run the benchmark in a scratch project, in a process without the user's MLflow settings."""
    if HERE in os.environ:
        sys.exit(run(Path.cwd()))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with scratch_project() as folder:
        command = [sys.executable, str(Path(__file__).resolve())]
        sys.exit(subprocess.call(command, cwd=folder, env=clean | {HERE: "1"}))


if __name__ == "__main__":
    main()
