"""Versions, aliases and evidence; the only way to get a champion."""

import getpass
import json
import logging
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from mmm_demo.bundle import FILES, Bundle, BundleRefused, prove_bundle, require_pass, sha256
from mmm_demo.config import ExperimentConfig, ModelConfig, registered_model_name
from mmm_demo.gate import PassedGate
from mmm_demo.tracking import Run, temporary_folder

CHAMPION, PREVIOUS = "champion", "previous"
HASH_TAG = "sha256."
BUNDLE = "bundle"
DATA_FOLDER = f"data/{BUNDLE}"  # where MLflow puts the data files of a pyfunc


class NoVersionError(FileNotFoundError):
    """No such version, champion or market in the registry."""


@dataclass(frozen=True)
class Champion:
    """The market's promoted version, proven on loading."""

    version: ModelVersion
    bundle: Bundle


@dataclass(frozen=True)
class SetAlias:
    """Point an alias of the registered model at a version."""

    alias: str
    version: int


@dataclass(frozen=True)
class Promotion:
    """What a promotion changed.

    Attributes
    ----------
    name
        Registered model.
    version
        The champion now.
    former
        The champion before; None when there was none.
    """

    name: str
    version: int
    former: int | None


def register_version(
    run: Run,
    files: Path,
    experiment: ExperimentConfig,
    passed: PassedGate,
    *,
    description: str,
    tags: Mapping[str, str],
    requirements: list[str],
) -> ModelVersion:
    """Register a fit as a version of its market's model; only a passed gate can.

    The version is a pyfunc without pickle: data files, and the name of the module that reads them.

    Parameters
    ----------
    run
        Fit run.
    files
        Folder with trace.nc, config.json and gate.json.
    experiment
        What was fitted; names the market and the columns of the signature.
    passed
        Proof from `GateReport.require`.
    description, tags
        Shown beside the version in the registry.
    requirements
        Pins of the environment (`pinned_requirements`).
    """
    info = _log_pyfunc(run, files, experiment.model, requirements)
    name = experiment.registered_model
    if not run.client.search_registered_models(f"name = '{name}'"):
        run.client.create_registered_model(name, tags={"market": experiment.market})
    verdict = {"gate": "passed" if passed.report.passed else "failed"}
    hashes = {f"{HASH_TAG}{file}": sha256(files / file) for file in FILES}
    return run.client.create_model_version(
        name,
        source=info.model_uri,
        run_id=run.run_id,
        tags=verdict | dict(tags) | hashes,
        model_id=info.model_id,
        description=description,
    )


def _log_pyfunc(run: Run, files: Path, model: ModelConfig, requirements: list[str]) -> ModelInfo:
    data = files / BUNDLE
    data.mkdir()
    for name in FILES:
        shutil.copyfile(files / name, data / name)
    # MLflow wants an input example to try the model, which would cost seconds on every fit, and
    # misses pip, which environments made by uv do not have.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    # Made here, because MLflow would put it into the experiment of its settings, not of the run.
    logged = run.client.create_logged_model(
        run.experiment_id,
        name="model",
        source_run_id=run.run_id,
        params=run.client.get_run(run.run_id).data.params,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*An input example was not provided")
        return Model.log(
            artifact_path=None,
            model_id=logged.model_id,
            flavor=mlflow.pyfunc,
            run_id=run.run_id,
            loader_module="mmm_demo.serving",
            data_path=str(data),
            code_paths=[str(Path(__file__).parent)],
            signature=_signature(model),
            pip_requirements=requirements,
        )


def pinned_requirements(project: Path) -> list[str]:
    """Return the project's pins, the same that `python_env.yaml` gives to `mlflow run`.

    Raises
    ------
    FileNotFoundError
        When the project has no such file.
    """
    environment = yaml.safe_load((project / "python_env.yaml").read_text("utf-8"))
    return list(environment["dependencies"])


def _signature(model: ModelConfig) -> ModelSignature:
    numbers = [*model.channel_columns, *model.control_columns]
    inputs = [ColSpec(DataType.datetime, model.date_column)]
    inputs += [ColSpec(DataType.double, name) for name in numbers]
    outputs = [ColSpec(DataType.datetime, model.date_column)]
    outputs += [ColSpec(DataType.double, name) for name in ("mean", "lower_94", "upper_94")]
    seed = ParamSchema([ParamSpec("seed", DataType.long, 0)])
    return ModelSignature(Schema(inputs), Schema(outputs), seed)


def find_version(market: str, number: int | None = None) -> ModelVersion:
    """Return a version of a market, by default the latest that passed the gate.

    Raises
    ------
    NoVersionError
        When there is none.
    """
    client, name = MlflowClient(), registered_model_name(market)
    versions = {int(v.version): v for v in client.search_model_versions(f"name = '{name}'")}
    if number is not None:
        if number not in versions:
            known = ", ".join(map(str, sorted(versions))) or "none"
            raise NoVersionError(f"{name} has no version {number}; versions: {known}")
        return versions[number]
    passed = [key for key, version in versions.items() if version.tags.get("gate") == "passed"]
    if not passed:
        raise NoVersionError(f"{name} has no version that passed; run: mmm-demo fit")
    return versions[max(passed)]


def find_alias(market: str, alias: str) -> ModelVersion | None:
    """Return the version that an alias points to; None when there is no such alias."""
    client, name = MlflowClient(), registered_model_name(market)
    try:
        return client.get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def prove_version(version: ModelVersion) -> Bundle:
    """Fetch a version's data files and prove them.

    Raises
    ------
    BundleRefused
        Names the check that failed.
    """
    with temporary_folder() as folder:
        try:
            # Only the data folder: MLmodel and the code beside it are never read.
            data = mlflow.artifacts.download_artifacts(
                f"models:/{version.name}/{version.version}/{DATA_FOLDER}", dst_path=str(folder)
            )
        except (OSError, mlflow.exceptions.MlflowException) as error:
            raise BundleRefused(f"check 'files' failed: cannot be fetched: {error}") from None
        return prove_bundle(
            Path(data),
            recorded=_recorded_hashes(version.tags),
            run_id=str(version.run_id),
            registered_model=version.name,
        )


def _recorded_hashes(tags: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(HASH_TAG): value for key, value in tags.items() if key.startswith(HASH_TAG)
    }


def load_champion(market: str) -> Champion:
    """Load the market's champion: data only, proven twice, rebuilt from its own config.

    Raises
    ------
    NoVersionError
        When the market has no champion.
    BundleRefused
        When the champion does not prove its pass, whoever moved the alias there.
    """
    version = find_alias(market, CHAMPION)
    if version is None:
        name = registered_model_name(market)
        raise NoVersionError(
            f"model {name!r} has no champion; run: mmm-demo promote --market {market}"
        )
    try:
        return Champion(version, prove_version(version))
    except BundleRefused as refusal:
        raise BundleRefused(
            f"champion version {version.version} of {version.name} is refused: {refusal}. "
            f"Promote another version: mmm-demo promote --market {market} --version N"
        ) from None


def plan_promotion(new: int, champion: int | None) -> list[SetAlias]:
    """Decide which aliases move; the former champion becomes `previous`."""
    if new == champion:
        return []
    moves = [SetAlias(PREVIOUS, champion)] if champion is not None else []
    return [*moves, SetAlias(CHAMPION, new)]


def promote(run: Run, market: str, number: int | None, reason: str, rollback: bool) -> Promotion:
    """Make a version the champion, after proving it again. The run is the record.

    MLflow keeps no history of aliases, so who, when, why, from, to and the evidence are logged.

    Parameters
    ----------
    run
        Promotion run.
    market
        Market whose champion it becomes.
    number
        Version; by default the latest that passed the gate.
    reason
        Why, in words.
    rollback
        Swap champion and previous instead.

    Raises
    ------
    NoVersionError
        When there is no such version.
    BundleRefused, GateRefused
        When the version does not prove a pass under today's limits; nothing moves.
    """
    former = find_alias(market, CHAMPION)
    version = find_alias(market, PREVIOUS) if rollback else find_version(market, number)
    if version is None:
        raise NoVersionError(f"market {market!r} has no previous champion to roll back to")
    run.log(
        params={
            "promotion.model": version.name,
            "promotion.from": former.version if former else "none",
            "promotion.to": version.version,
            "promotion.reason": reason or "none given",
            "promotion.by": getpass.getuser(),
            "promotion.rollback": rollback,
        }
        | {f"evidence.{key}": value for key, value in version.tags.items()},
        tags={"promotion": "refused", "market": market},
    )
    proven = require_pass(prove_version(version))
    run.log_text(json.dumps(proven.report.to_dict(), indent=2), "evidence.json")
    for move in plan_promotion(int(version.version), int(former.version) if former else None):
        run.client.set_registered_model_alias(version.name, move.alias, str(move.version))
    run.log(tags={"promotion": "done"}, metrics=proven.report.metrics())
    return Promotion(version.name, int(version.version), int(former.version) if former else None)
