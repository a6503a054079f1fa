"""Bad versions of a good fit: its files, edited in the store or registered anew.

How far a forger goes: `files` edits them in the store; `tags` also records the new hashes with the
version; `gate` also writes them into gate.json; `all` also the weekly table's.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlparse

import numpy as np
import xarray as xr
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mmm_demo.checks.gate import REQUIRED, PassedGate
from mmm_demo.checks.proof import CONFIG, FILES, GATE, TRACE, sha256
from mmm_demo.evidence.gathered import EVIDENCE, Evidence
from mmm_demo.fits.trace import load_trace, save_trace, table_sha256, weekly_table
from mmm_demo.settings.experiment import DataConfig, ExperimentConfig
from mmm_demo.sources.market import load_market
from mmm_demo.store import registry
from mmm_demo.store.evidence_store import EVIDENCE_TAG, bind_evidence
from mmm_demo.store.runs import Run, open_run

PARAMETERS = ("saturation_beta", "adstock_alpha", "y_sigma", "gamma_control")
Edit = Callable[[Path], None]
Groups = dict[str, xr.Dataset]


@dataclass(frozen=True)
class Ground:
    """The good fit, its champion, and what every bad version is made from."""

    root: Path
    run: Run
    experiment: ExperimentConfig
    passed: PassedGate
    version: ModelVersion
    files: Path
    evidence: Evidence


# Making versions


def register(ground: Ground, folder: Path) -> ModelVersion:
    """Register files as a version of the fit run, with the hashes that they have now.

    The run has written down the hashes of its own files; MLflow lets no forger write others.
    """
    with patch.object(registry, "write_hashes"):
        return registry.register_version(
            ground.run,
            folder,
            ground.experiment,
            ground.passed,
            description="bad",
            tags={},
            requirements=registry.pinned_requirements(ground.root),
        )


def forged(edit: Edit, depth: str, evidence: bool = True) -> Callable[[Ground], ModelVersion]:
    """Return a maker of versions whose files were edited, as far as `depth` says."""

    def make(ground: Ground) -> ModelVersion:
        folder = Path(tempfile.mkdtemp(dir=ground.root))
        for name in FILES:
            shutil.copyfile(ground.files / name, folder / name)
        if depth != "files":
            edit(folder)
        if depth in ("gate", "all"):
            bind_gate(folder, ground.experiment, depth == "all")
        version = register(ground, folder)
        if depth == "files":
            uri = MlflowClient().get_model_version_download_uri(
                ground.experiment.registered_model, version.version
            )
            edit(Path(urlparse(uri).path) / registry.DATA_FOLDER)
        if evidence:
            bind(version, about(version, ground.evidence))
        shutil.rmtree(folder)
        return version

    return make


def bind_gate(folder: Path, experiment: ExperimentConfig, table: bool) -> None:
    """Make gate.json agree with the files beside it, and with the weekly table."""
    gate = json.loads((folder / GATE).read_text())
    gate["files"] = {name: sha256(folder / name) for name in (TRACE, CONFIG)}
    if table:
        weekly = weekly_table(load_trace(folder / TRACE), experiment.model)
        gate["data_sha256"] = table_sha256(weekly)
    (folder / GATE).write_text(json.dumps(gate))


def about(version: ModelVersion, evidence: Evidence) -> Evidence:
    """Return evidence that says it is about a version's files."""
    files = {name: version.tags[f"{registry.HASH_TAG}{name}"] for name in FILES}
    return replace(evidence, files=files)


def bind(version: ModelVersion, evidence: Evidence) -> None:
    """Bind evidence to a version, as `mmm-demo evidence` does."""
    with open_run("evidence", "evidence") as run:
        run.log_text(evidence.to_json(), EVIDENCE)
        bind_evidence(run, version, evidence)


def examined(change: Callable[[Evidence], Evidence]) -> Callable[[Ground], ModelVersion]:
    """Return a maker of copies of the good version, with other evidence."""

    def make(ground: Ground) -> ModelVersion:
        version = forged(lambda folder: None, "tags", evidence=False)(ground)
        bind(version, change(about(version, ground.evidence)))
        return version

    return make


def rewritten(change: Callable[[dict], None], sealed: bool) -> Callable[[Ground], ModelVersion]:
    """Return a maker of copies whose failing evidence.json was edited once it was bound."""

    def make(ground: Ground) -> ModelVersion:
        made = examined(believing)(ground)
        version = MlflowClient().get_model_version(ground.experiment.registered_model, made.version)
        run = MlflowClient().get_run(version.tags[EVIDENCE_TAG])
        path = Path(urlparse(run.info.artifact_uri).path) / EVIDENCE
        plain = json.loads(path.read_text())
        change(plain)
        path.write_text(json.dumps(plain))
        if sealed:
            tag = f"{registry.HASH_TAG}{EVIDENCE}"
            MlflowClient().set_model_version_tag(
                ground.experiment.registered_model, version.version, tag, sha256(path)
            )
        return version

    return make


# Editing files


def draws(change: Callable[[Groups], None]) -> Edit:
    """Return an edit of trace.nc."""

    def edit(folder: Path) -> None:
        trace = load_trace(folder / TRACE)
        groups = {name: trace[name].to_dataset().copy(deep=True) for name in trace.children}
        change(groups)
        tree = xr.DataTree.from_dict(groups)
        tree.attrs = dict(trace.attrs)
        (folder / TRACE).unlink()
        save_trace(tree, folder / TRACE)

    return edit


def text(name: str, change: Callable[[dict], None]) -> Edit:
    """Return an edit of a JSON file."""

    def edit(folder: Path) -> None:
        plain = json.loads((folder / name).read_text())
        change(plain)
        (folder / name).write_text(json.dumps(plain))

    return edit


def both(first: Edit, second: Edit) -> Edit:
    """Return two edits as one."""

    def edit(folder: Path) -> None:
        first(folder)
        second(folder)

    return edit


def roll_chains(groups: Groups) -> None:
    """Put the chains into another order."""
    for name in ("posterior", "sample_stats"):
        groups[name] = groups[name].roll(chain=1, roll_coords=False)


def take(groups: Groups, chains: list[int], count: int | None = None) -> None:
    """Keep some chains and the first draws."""
    for name in ("posterior", "sample_stats"):
        kept = groups[name].isel(chain=chains, draw=slice(0, count))
        groups[name] = kept.assign_coords(chain=range(len(chains)))


def put(groups: Groups, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace all draws of a parameter."""
    values = groups["posterior"][name]
    values[:] = change(values.to_numpy().copy())


def put_one(groups: Groups, seed: int, value: float) -> None:
    """Replace one draw, at random, of a parameter of the seed's."""
    rng = np.random.default_rng(seed)
    values = groups["posterior"][PARAMETERS[seed % len(PARAMETERS)]]
    values[tuple(int(rng.integers(size)) for size in values.shape)] = value


def shift_chain(groups: Groups, seed: int) -> None:
    """Move one chain by three standard deviations."""
    values = groups["posterior"][PARAMETERS[seed % len(PARAMETERS)]]
    values[seed % 4] += 3 * float(values.std())


def diverge(groups: Groups, seed: int) -> None:
    """Let one to three draws diverge."""
    rng = np.random.default_rng(seed)
    flags = groups["sample_stats"]["diverging"]
    for _ in range(seed + 1):
        flags[tuple(int(rng.integers(size)) for size in flags.shape)] = True


def slow_energy(groups: Groups) -> None:
    """Let the energy of a chain drift, as where the sampler cannot reach the tails."""
    energy = groups["sample_stats"]["energy"]
    energy[1] = np.arange(energy.sizes["draw"])


def swap_channels(groups: Groups) -> None:
    """Exchange the draws of the first and the last channel: converged, and of another fit."""
    for name in ("saturation_beta", "saturation_lam", "adstock_alpha"):
        put(groups, name, lambda values: values[..., ::-1])


def other_market(groups: Groups, root: Path, experiment: ExperimentConfig) -> None:
    """Make it the trace of another market: its table, and chains in another order."""
    table = load_market(DataConfig(seed=2), experiment.model, root).table
    groups["weekly_table"] = xr.Dataset.from_dataframe(table.rename_axis("row"))
    roll_chains(groups)


def raise_week(groups: Groups, column: str) -> None:
    """Change one week."""
    values = groups["weekly_table"][column]
    values[7] = 1.5 * values[7] + 1  # also where there was nothing


def drop(groups: Groups, group: str, name: str) -> None:
    """Leave a variable out."""
    groups[group] = groups[group].drop_vars(name)


def fail(gate: dict, claims: dict, passed: bool) -> None:
    """Let the prior check fail, and the verdict claim something of it."""
    gate["checks"][0] |= {"value": 0.9, "passed": False, "status": "failed"} | claims
    gate["passed"] = passed


def loosen(gate: dict) -> None:
    """Judge the prior check by a limit that it keeps."""
    gate["checks"][0] |= {"value": 0.9, "limit": 0.95}


def leave_out(gate: dict, name: str, passed: bool) -> None:
    """Leave a required check out."""
    gate["checks"] = [check for check in gate["checks"] if check["name"] != name]
    gate["passed"] = passed


def require_less(gate: dict) -> None:
    """Make the required battery advisory, in agreement with itself."""
    for check in gate["checks"]:
        check["required"] = check["name"] in REQUIRED
    gate["required"] = []


def other_prior(config: dict) -> None:
    """Write another prior into the config."""
    prior = {"distribution": "HalfNormal", "sigma": 2.0, "rationale": "bigger"}
    config["model"]["priors"]["saturation_beta"] = prior


def believing(evidence: Evidence) -> Evidence:
    """Let every placebo be believed."""
    rows = evidence.tables["placebo"].assign(share_lower_5=0.05, believed=True)
    return replace(evidence, tables={"placebo": rows})


def not_converged(evidence: Evidence) -> Evidence:
    """Let no refit have converged."""
    rows = evidence.tables["placebo"].assign(converged=False)
    return replace(evidence, tables={"placebo": rows})


def doubt(evidence: dict) -> None:
    """Turn the failed verdicts of evidence into passed ones; the rows stay."""
    for check in evidence["checks"]:
        check |= {"value": 0.0, "passed": True, "status": "passed"}


def doubt_rows(evidence: dict) -> None:
    """Turn the rows too."""
    doubt(evidence)
    for row in evidence["tables"]["placebo"]:
        row |= {"share_lower_5": 0.0, "believed": False}


def require_nothing(config: dict) -> None:
    """Take the required batteries out of the config."""
    config["gate"]["require"] = []


def to_north(config: dict) -> None:
    """Make it the config of another market."""
    config["market"] = "north"


def part(function: Callable, *words: object) -> Callable:
    """Return an edit's change with its words, for the content to come."""
    return lambda content: function(content, *words)
