"""Versions in a real store: where their files lie, how they are promoted, what is bound to them."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import xarray as xr
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.entities.model_registry import ModelVersion

from helpers import convergent_trace, good_report, move_alias_by_force
from mmm_demo.checks.proof import FILES, TRACE, sha256, write_config, write_gate
from mmm_demo.evidence.gathered import EVIDENCE, Evidence
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.fits.trace import WEEKLY_TABLE, load_trace, save_trace, table_sha256
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.jobs.promote import Objections, Promotion, promote
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.store.champion import ACCEPTED, promotion_params
from mmm_demo.store.evidence_store import bind_evidence
from mmm_demo.store.provenance import COPY_TAG, HASH_TAG
from mmm_demo.store.registry import DATA_FOLDER, find_alias, pinned_requirements, register_version
from mmm_demo.store.runs import open_run, temporary_folder


def nothing_against(*_: object) -> tuple[str, ...]:
    """Objections of one who has nothing against any version."""
    return ()


def run_promotion(
    number: int | None = None,
    *,
    reason: str = "a test",
    rollback: bool = False,
    judge: Objections = nothing_against,
    market: str = "demo",
) -> Promotion:
    """Promote a version of a market in a run of its own."""
    with open_run(f"promote {market}", "promotion") as run:
        return promote(run, market, number, reason, rollback, judge)


def number_of(alias: str) -> int | None:
    """Return which version of the demo market has an alias."""
    found = find_alias("demo", alias)
    return int(found.version) if found else None


def last_run(client: MlflowClient) -> StoredRun:
    """Return the run that started last."""
    experiments = [item.experiment_id for item in client.search_experiments()]
    return client.search_runs(experiments, order_by=["attributes.start_time DESC"])[0]


def model_folder(version: ModelVersion) -> Path:
    """Return where the store keeps a version's files."""
    return Path(
        urlparse(MlflowClient().get_model_version_download_uri(version.name, version.version)).path
    )


def data_folder(version: ModelVersion) -> Path:
    """Return where the store keeps a version's data files."""
    return model_folder(version) / DATA_FOLDER


def seal_tags(version: ModelVersion) -> None:
    """Make the version's recorded hashes agree with its files, as a forger would."""
    for path in data_folder(version).iterdir():
        MlflowClient().set_model_version_tag(
            version.name, version.version, f"{HASH_TAG}{path.name}", sha256(path)
        )


def crown(version: ModelVersion) -> None:
    """Make a version champion past every check, with a record that only the database can forge."""
    with open_run("promote demo", "promotion") as run:
        run.log(params=promotion_params(version.name, None, version.version), tags=ACCEPTED)
    run.client.set_model_version_tag(version.name, str(version.version), COPY_TAG, run.run_id)
    move_alias_by_force(version.name, "champion", version.version)


def add_a_byte(version: ModelVersion) -> None:
    """Tamper with a version's trace."""
    path = data_folder(version) / "trace.nc"
    path.write_bytes(path.read_bytes() + b"\0")


def shift_a_chain(folder: Path) -> None:
    """Spoil the convergence of a trace."""
    path = folder / "trace.nc"
    tree = load_trace(path)
    tree["posterior"]["saturation_beta"][0] += 1.0
    path.unlink()
    tree.to_netcdf(path, engine="h5netcdf")


def hashes(version: ModelVersion) -> dict[str, str]:
    """Return the sha256 of a version's files, as recorded with it."""
    return {name: version.tags[f"{HASH_TAG}{name}"] for name in FILES}


def evidence_about(
    version: ModelVersion, tables: Mapping[str, pd.DataFrame], **unassessed: str
) -> Evidence:
    """Return evidence about a version."""
    return Evidence(dict(tables), str(version.run_id), hashes(version), unassessed)


def bind(version: ModelVersion, evidence: Evidence) -> Path:
    """Bind evidence to a version; return where the store keeps the file."""
    with open_run("evidence", "evidence") as run:
        run.log_text(evidence.to_json(), EVIDENCE)
        bind_evidence(run, version, evidence)
    return Path(urlparse(run.client.get_run(run.run_id).info.artifact_uri).path) / EVIDENCE


def again(version: ModelVersion) -> ModelVersion:
    """Return a version as the store knows it now."""
    return MlflowClient().get_model_version(version.name, str(version.version))


def drawn_version(
    experiment: ExperimentConfig, table: pd.DataFrame, project: Path, narrow: float = 1.0
) -> ModelVersion:
    """Register a version with draws from its priors in place of a posterior: no fit, all else real.

    Parameters
    ----------
    experiment
        What it says that it was fitted by.
    table
        Weekly table that it says that it was fitted on.
    project
        Has the pins.
    narrow
        How much closer to their means the draws lie: what data would have told.
    """
    trace, rng = convergent_trace(experiment.model), np.random.default_rng(3)
    posterior = trace["posterior"].to_dataset().copy(deep=True)
    for name, prior in experiment.model.priors.items():
        if (stored := STORED_NAMES.get(name, name)) in posterior:
            values = posterior[stored]
            draws = prior_distribution(prior).rvs(values.shape, random_state=rng)
            values[:] = draws.mean() + narrow * (draws - draws.mean())
    groups = {
        "posterior": posterior,
        "sample_stats": trace["sample_stats"].to_dataset(),
        WEEKLY_TABLE: xr.Dataset.from_dataframe(table.rename_axis("row")),
    }
    with open_run(experiment.name, "fit") as run, temporary_folder() as folder:
        save_trace(xr.DataTree.from_dict(groups), folder / TRACE)
        write_config(folder, experiment)
        report = good_report()
        write_gate(folder, report, run.run_id, table_sha256(table))
        return register_version(
            run,
            folder,
            experiment,
            report.require(),
            description="made by a test",
            tags={},
            requirements=pinned_requirements(project),
        )
