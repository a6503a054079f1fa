"""What the store says about itself, for the doctor: read without ever starting a store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlparse
from urllib.request import urlopen

import mlflow
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.utils.models import _parse_model_uri

from mmm_demo.checks.proof import FILES, sha256
from mmm_demo.store.champion import market_of
from mmm_demo.store.locks import sqlite_file
from mmm_demo.store.provenance import COPY_TAG
from mmm_demo.store.registry import BUNDLE, DATA_FOLDER
from mmm_demo.store.runs import (
    RunNotFoundError,
    StoreError,
    find_run,
    pages,
    temporary_folder,
)

PATIENCE = 10.0  # seconds for a server to answer
INTACT, CHANGED, MISSING = "intact", "changed", "missing"


@dataclass(frozen=True)
class Model:
    """One of this package's registered models.

    Attributes
    ----------
    name, market
        Of the registered model.
    aliases
        Number of a version by alias, whether there is such a version or not.
    versions
        Versions by number.
    """

    name: str
    market: str
    aliases: dict[str, int]
    versions: dict[int, ModelVersion]


@dataclass(frozen=True)
class Place:
    """One of the places that hold a version's data files.

    Attributes
    ----------
    folder
        Where the files lie, on this machine; None where they lie on a server.
    states
        `intact`, `changed` or `missing` by file.
    fault
        Why the place could not be read; empty when it could.
    """

    folder: Path | None
    states: dict[str, str]
    fault: str = ""


def address() -> str:
    """Return the address of the store that MLflow's settings name."""
    return mlflow.get_tracking_uri()


def has_store(uri: str) -> bool:
    """Whether there is a store at an address. Nothing is made there.

    Raises
    ------
    StoreError
        When that cannot be told, e.g. because the database does not answer.
    """
    if uri.startswith(("http://", "https://")):
        _require_answer(uri)
        return True
    database = sqlite_file(uri)
    if database is not None and not database.is_file():
        return False  # to connect would make the file
    try:
        engine = sqlalchemy.create_engine(uri)
        try:
            return sqlalchemy.inspect(engine).has_table("experiments")
        finally:
            engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise StoreError(f"the store at {uri} cannot be read: {error}") from None


def _require_answer(uri: str) -> None:
    """Refuse a server that does not answer; MLflow's client would ask again for minutes."""
    try:
        urlopen(f"{uri.rstrip('/')}/health", timeout=PATIENCE).close()  # noqa: S310 (is http)
    except HTTPError:
        return  # an answer, e.g. that it wants a password
    except OSError as error:  # URLError is one
        raise StoreError(f"the server {uri} does not answer: {error}") from None


def own_models() -> list[Model]:
    """Return this package's registered models; of others the doctor knows nothing."""
    client = MlflowClient()
    found = pages(client.search_registered_models)
    return [_model(client, item.name) for item in found if market_of(item.name)]


def _model(client: MlflowClient, name: str) -> Model:
    aliases = client.get_registered_model(name).aliases
    found = pages(client.search_model_versions, f"name = '{name}'")
    versions = {int(item.version): item for item in found}
    return Model(
        name,
        str(market_of(name)),
        {alias: int(number) for alias, number in aliases.items()},
        dict(sorted(versions.items())),
    )


def places(version: ModelVersion, hashes: dict[str, str]) -> list[Place]:
    """Look at every place that should hold a version's data files.

    Parameters
    ----------
    version
        The version.
    hashes
        Sha256 by file that they must have; a file without one counts as changed.

    Returns
    -------
    First where the version keeps them, then the copy of its promotion, if that is on record.
    """
    client = MlflowClient()
    found = [
        _place(
            f"models:/{version.name}/{version.version}/{DATA_FOLDER}",
            lambda: client.get_model_version_download_uri(version.name, version.version),
            DATA_FOLDER,
            hashes,
        )
    ]
    try:
        run_id = find_run(version.tags[COPY_TAG]).run_id
    except (KeyError, RunNotFoundError):  # never promoted, or its promotion was collected
        return found
    home = client.get_run(run_id).info.artifact_uri
    return [*found, _place(f"runs:/{run_id}/{BUNDLE}", lambda: home, BUNDLE, hashes)]


def _place(uri: str, home: Callable[[], str], inside: str, hashes: dict[str, str]) -> Place:
    with temporary_folder() as folder:
        local = None
        try:
            local = _local_folder(home(), inside)
            data = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
        except (OSError, mlflow.exceptions.MlflowException) as error:
            return Place(local, dict.fromkeys(FILES, MISSING), str(error))
        return Place(local, {name: _state(data / name, hashes.get(name)) for name in FILES})


def _state(path: Path, wanted: str | None) -> str:
    if not path.is_file():
        return MISSING
    return INTACT if sha256(path) == wanted else CHANGED


def _local_folder(uri: str, inside: str) -> Path | None:
    if uri.startswith("models:/") and (model_id := _parse_model_uri(uri).model_id):
        uri = MlflowClient().get_logged_model(model_id).artifact_location
    parts = urlparse(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path) if parts.scheme else uri) / inside
