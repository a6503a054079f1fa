"""Versions and aliases; the only way to get a champion."""

import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from mmm_demo.checks.gate import PassedGate
from mmm_demo.checks.proof import FILES, Bundle, BundleRefused, prove_bundle, sha256
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.experiment import ExperimentConfig, ModelConfig, registered_model_name
from mmm_demo.settings.run_schema import Say
from mmm_demo.store.champion import CHAMPION
from mmm_demo.store.locks import locked
from mmm_demo.store.provenance import (
    COPY_TAG,
    HASH_TAG,
    require_promoted,
    require_written,
    write_hashes,
)
from mmm_demo.store.runs import Run, RunNotFoundError, find_run, made_by_another, temporary_folder

PREVIOUS, CHALLENGER = "previous", "challenger"
SHORTEST_RUN_ID = 6
BUNDLE = "bundle"
DATA_FOLDER = f"data/{BUNDLE}"  # where MLflow puts the data files of a pyfunc


class NoVersionError(FileNotFoundError):
    """No such version, champion or market in the registry."""


@dataclass(frozen=True)
class Champion:
    """The market's promoted version, proven on loading."""

    version: ModelVersion
    bundle: Bundle

    @property
    def fitted(self) -> FittedModel:
        """The model."""
        return self.bundle.fitted


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
        with made_by_another():
            run.client.create_registered_model(name, tags={"market": experiment.market})
    verdict = {"gate": "passed" if passed.report.passed else "failed"}
    digests = {file: sha256(files / file) for file in FILES}
    write_hashes(run, digests)
    hashes = {f"{HASH_TAG}{file}": digest for file, digest in digests.items()}
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
            code_paths=[str(Path(__file__).parents[1])],
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
    """Return the version that an alias points to; None without such an alias or such a version."""
    client, name = MlflowClient(), registered_model_name(market)
    try:
        # Asked for an alias of a model that is not there, a server with users denies permission.
        number = client.get_registered_model(name).aliases.get(alias)
        return None if number is None else client.get_model_version(name, str(number))
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def made_on(version: ModelVersion) -> datetime:
    """Return when a version was registered."""
    return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)


def prove_version(version: ModelVersion) -> Bundle:
    """Fetch a version's data files and prove them.

    Raises
    ------
    BundleRefused
        Names the check that failed.
    """
    with fetched(version) as data:
        return prove_files(version, data)


@contextmanager
def fetched(version: ModelVersion) -> Iterator[Path]:
    """Yield the folder of a version's data files; its promotion's copy when they are gone.

    Raises
    ------
    BundleRefused
        When neither can be fetched.
    """
    # Only the data folder: MLmodel and the code beside it are never read.
    places = [f"models:/{version.name}/{version.version}/{DATA_FOLDER}"]
    if COPY_TAG in version.tags:
        places.append(f"runs:/{version.tags[COPY_TAG]}/{BUNDLE}")
    faults = []
    with temporary_folder() as folder:
        for number, place in enumerate(places):
            target = folder / str(number)
            target.mkdir()
            try:
                data = Path(mlflow.artifacts.download_artifacts(place, dst_path=str(target)))
            except (OSError, mlflow.exceptions.MlflowException) as error:
                faults.append(f"cannot be fetched: {error}")
                continue
            if missing := [name for name in FILES if not (data / name).is_file()]:
                faults.append(f"{', '.join(missing)} missing in {place}")
                continue
            yield data
            return
    raise BundleRefused(f"check 'files' failed: {'; '.join(faults)}")


def prove_files(version: ModelVersion, data: Path) -> Bundle:
    """Prove fetched files against what was recorded with the version (`prove_bundle`)."""
    tags = version.tags.items()
    bundle = prove_bundle(
        data,
        recorded={
            key.removeprefix(HASH_TAG): value for key, value in tags if key.startswith(HASH_TAG)
        },
        run_id=str(version.run_id),
        registered_model=version.name,
    )
    require_written(version)
    return bundle


def load_champion(market: str) -> Champion:
    """Load the market's champion: data only, proven twice, rebuilt from its own config.

    Raises
    ------
    NoVersionError
        When the market has no champion.
    BundleRefused
        When the champion does not prove its pass and its promotion, whoever moved the alias there.
    """
    version = find_alias(market, CHAMPION)
    if version is None:
        name = registered_model_name(market)
        raise NoVersionError(
            f"model {name!r} has no champion; run: mmm-demo promote --market {market}"
        )
    try:
        champion = Champion(version, prove_version(version))
        require_promoted(version)
    except BundleRefused as refusal:
        raise BundleRefused(
            f"champion version {version.version} of {version.name} is refused: {refusal}. "
            f"Promote another version: mmm-demo promote --market {market} --version N"
        ) from None
    return champion


def champion_model(market: str) -> ModelConfig | None:
    """Return the champion's model; None where no champion proves its pass."""
    try:
        return load_champion(market).bundle.experiment.model
    except (NoVersionError, BundleRefused):
        return None


@contextmanager
def promoting(market: str, say: Say) -> Iterator[None]:
    """Hold the promotions of a market: whoever promotes, reads and moves its aliases alone.

    Behind a server there is no such lock; there, whoever promotes looks again before it moves.
    """
    name = registered_model_name(market)
    waiting = f"another promotion of market {market!r} is under way; waiting for its end"
    with locked(mlflow.get_registry_uri(), f"promotion-{name}", lambda: say(waiting)):
        yield


def version_of(run: Run) -> ModelVersion:
    """Return the version that a fit run made.

    Raises
    ------
    NoVersionError
        When it made none: the gate refused it, or it is no fit.
    """
    found = run.client.search_model_versions(f"run_id = '{run.run_id}'")
    if not found:
        raise NoVersionError(f"run {run.run_id} made no version; only fits that passed make one")
    return max(found, key=lambda version: int(version.version))


def named_version(market: str, name: str) -> ModelVersion:
    """Return a version by its number, an alias, or the (first characters of the) id of its run.

    Raises
    ------
    NoVersionError, RunNotFoundError
        When there is none.
    """
    found = _by_name(market, name)
    return MlflowClient().get_model_version(found.name, found.version)  # a search knows no aliases


def _by_name(market: str, name: str) -> ModelVersion:
    if name.isdecimal() and len(name) < SHORTEST_RUN_ID:
        return find_version(market, int(name))
    if version := find_alias(market, name):
        return version
    try:
        return version_of(find_run(name))
    except RunNotFoundError as error:
        raise NoVersionError(
            f"{registered_model_name(market)} has no version {name!r}: neither a number nor an "
            f"alias (champion, challenger, previous), and {error}"
        ) from None
