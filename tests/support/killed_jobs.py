"""The main job of the working directory's project, killed at named points; run by a test.

    python tests/support/killed_jobs.py FILES

Each point has a process of its own, forked from this one, that does the main job up to the point
and ends there by SIGKILL. Before the first, and after each, another process tells what it finds in
the store and uses it. At last the main job is done to its end. The points that do not concern the
sampler get the draws of the version whose files are in the folder FILES, and those after the fit a
version of these files. Prints what was found as a list of JSON objects.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from mlflow import MlflowClient

from forked import together
from mmm_demo.checks import proof
from mmm_demo.checks.gate import GateFile
from mmm_demo.fits import sampler
from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.response import scaling_of
from mmm_demo.fits.sampler import Sampling
from mmm_demo.fits.trace import load_trace
from mmm_demo.jobs import fit as fit_steps
from mmm_demo.jobs import main as pipeline
from mmm_demo.jobs import plan as plan_steps
from mmm_demo.jobs import promote
from mmm_demo.planning.moves import COLUMNS
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import load_market
from mmm_demo.store import publish, registry
from mmm_demo.store.runs import Run, temporary_folder

MARKET = "demo"
Matches = Callable[..., bool]


def always(*_: Any) -> bool:
    """Match every call."""
    return True


def unheard(*_: Any, **__: Any) -> None:
    """Take anything, and do nothing with it."""


def die() -> None:
    """End as by a power cut: nothing is closed, nothing more is written."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Matches = always) -> Any:
    """Die where a function is called with such arguments."""
    real = getattr(owner, name)

    def deadly(*given: Any, **named: Any) -> Any:
        return die() if when(*given) else real(*given, **named)

    return patch.object(owner, name, deadly)


def after(owner: Any, name: str, when: Matches = always) -> Any:
    """Die where a function that was called with such arguments has done its work."""
    real = getattr(owner, name)

    def deadly(*given: Any, **named: Any) -> Any:
        done = real(*given, **named)
        return die() if when(*given) else done

    return patch.object(owner, name, deadly)


@contextmanager
def while_sampling() -> Iterator[None]:
    """Die while the real sampler draws, which would take it minutes."""
    real = sampler.nuts

    def deadly(*given: Any, **named: Any) -> Any:
        threading.Thread(target=lambda: (time.sleep(0.5), die()), daemon=True).start()
        return real(*given, **named | {"draws": 100_000})

    unpatched = patch.object(fit_steps, "sample_posterior", SAMPLER)
    with unpatched, patch.object(sampler, "nuts", deadly):
        yield


def while_copying() -> Any:
    """Die when half of the trace is in the fit run's folder."""
    log_file = Run.log_file

    def log(self: Run, path: Path, folder: str | None = None) -> None:
        log_file(self, path, folder)
        if path.name == proof.TRACE:
            home = MlflowClient().get_run(self.run_id).info.artifact_uri
            stored = Path(home.removeprefix("file://")) / proof.TRACE
            os.truncate(stored, stored.stat().st_size // 2)
            die()

    return patch.object(Run, "log_file", log)


def previous(*given: Any) -> bool:
    """Whether an alias that is set is `previous`."""
    return given[2] == registry.PREVIOUS


ALIAS = (MlflowClient, "set_registered_model_alias")
SAMPLER = fit_steps.sample_posterior
POINTS: dict[str, Callable[[], Any]] = {
    "run opened": partial(before, pipeline, "fit_in"),
    "data logged": partial(after, fit_steps, "load_data"),
    "prior checked": partial(after, fit_steps, "check_prior"),
    "while sampling": while_sampling,
    "trace saved": partial(after, fit_steps, "save_trace"),
    "trace half logged": while_copying,
    "gate.json written, not logged": partial(after, proof, "write_gate"),
    "logged model made, version not": partial(after, registry, "_log_pyfunc"),
    "version made, run not told": partial(after, registry, "register_version"),
    "files kept, not accepted": partial(after, promote, "_keep_copy"),
    "accepted, nothing moved": partial(before, *ALIAS, previous),
    "previous moved, champion not": partial(after, *ALIAS, previous),
    "champion moved, promotion open": partial(before, promote, "_end_challenge"),
    "plan written, run open": partial(after, publish.Publisher, "scenario"),
}
AFTER_THE_FIT = tuple(POINTS)[tuple(POINTS).index("files kept, not accepted") :]
TO_THE_END = "to the end"


@contextmanager
def without_pictures() -> Iterator[None]:
    """Draw nothing and write no page: they take most of the time."""
    with ExitStack() as stack:
        for owner, name in (
            (fit_steps, "prior_figures"),
            (fit_steps, "convergence_figures"),
            (fit_steps, "result_figures"),
        ):
            stack.enter_context(patch.object(owner, name, lambda *_: []))
        stack.enter_context(patch.object(plan_steps, "study_plans", no_study))
        stack.enter_context(patch.object(plan_steps, "plan_figures", lambda _: {}))
        stack.enter_context(patch.object(plan_steps, "plan_page", lambda *_: "no page"))
        yield


def no_study(*_: object) -> SimpleNamespace:
    """Return what surrounds plans where nobody looks at it: no curve of moves."""
    return SimpleNamespace(moves=pd.DataFrame(columns=COLUMNS))


@dataclass(frozen=True)
class Stored:
    """An experiment, and what took long to compute for it and is the same in every process."""

    experiment: ExperimentConfig
    prior: np.ndarray
    sampling: Sampling
    parts: Decomposition
    files: Path

    def fit(
        self, to: publish.Publisher, experiment: ExperimentConfig, *_: Any
    ) -> fit_steps.FitResult:
        """Register the stored files as what a publisher's run has fitted."""
        run = to.run
        verdict = GateFile.from_json((self.files / proof.GATE).read_text("utf-8"))
        with temporary_folder() as folder:
            shutil.copyfile(self.files / proof.TRACE, folder / proof.TRACE)
            proof.write_config(folder, experiment)
            proof.write_gate(folder, verdict.report, run.run_id, verdict.data_sha256)
            version = registry.register_version(
                run,
                folder,
                experiment,
                verdict.report.require(),
                description="stored",
                tags={},
                requirements=registry.pinned_requirements(to.root),
            )
        results = fit_steps.Results(pd.DataFrame(), None, [])
        return fit_steps.FitResult(run, verdict.report, version, "", results, None, "")


def computed(files: Path) -> Stored:
    """Compute what every process would compute alike."""
    experiment = load_experiment("experiments/demo.yaml")
    table = load_market(experiment.data, experiment.model, Path.cwd()).table
    prior = sample_prior(experiment.model, table, experiment.sampler.seed)
    draws = load_trace(files / proof.TRACE)
    fitted = FittedModel(
        replace(experiment.model, scaling=scaling_of(experiment.model, table)), draws
    )
    return Stored(experiment, prior, Sampling(draws, 1.0, "warm"), fitted.decompose(), files)


def main_job(stored: Stored, point: str) -> None:
    """Do the main job, with stored draws and without pictures, up to a point."""
    with ExitStack() as stack:
        for owner, name, known in (
            (fit_steps, "sample_posterior", stored.sampling),
            (fit_steps, "sample_prior", stored.prior),
            (FittedModel, "decompose", stored.parts),
        ):
            stack.enter_context(patch.object(owner, name, lambda *_, known=known, **__: known))
        stack.enter_context(without_pictures())
        if point in AFTER_THE_FIT:
            stack.enter_context(patch.object(pipeline, "fit_in", stored.fit))
        if point in POINTS:
            stack.enter_context(POINTS[point]())
        pipeline.run_main(stored.experiment, Path.cwd(), unheard, unheard)


def look() -> dict[str, Any]:
    """Tell what is in the store, plan with the champion and promote it once more."""
    client = MlflowClient()
    home = client.get_experiment_by_name(os.environ.get("MLFLOW_EXPERIMENT_NAME", "mmm_demo"))
    runs = client.search_runs([home.experiment_id], "attributes.status = 'RUNNING'")
    versions = client.search_model_versions("name = 'mmm_demo'")
    former = registry.find_alias(MARKET, registry.PREVIOUS)
    with without_pictures():
        plan = plan_steps.run_optimize(MARKET, {}, Path.cwd(), unheard)
    number = int(plan.version.version)  # loaded and proven
    done = promote.run_promote(MARKET, number, "still works", False, unheard, unheard)
    return {
        "champion": number,
        "previous": int(former.version) if former else None,
        "running": sorted(run.info.run_id for run in runs),
        "versions": sorted(int(version.version) for version in versions),
        "planned": plan.plan.total_budget,
        "promoted": done.version,
    }


def main(files: Path) -> None:
    """Kill the main job at every point, and look at the store after each."""
    stored = computed(files)
    found = [{"point": "", "code": 0, "error": ""} | _looked()]
    for point in (*POINTS, TO_THE_END):
        (job,) = together([partial(main_job, stored, point)])
        found.append({"point": point, "code": job.code, "error": job.error} | _looked())
    print(json.dumps(found))


def _looked() -> dict[str, Any]:
    (child,) = together([look])
    return {"found": child.value, "fault": child.error}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
