"""MLflow's own SQL registry, which lets nobody move a champion past the gate.

MLflow loads `open_store` through the `mlflow.model_registry_store` entry points `sqlite` and
`postgresql`; they replace its own builders, so every client and every server that is started from
an environment with this package refuses alike: Python, REST and the UI. Only the names of this
package's registered models are judged; every other call passes through.

The protocol: while a run with the tags `PROMOTION_TAGS` is RUNNING, the champion of the model in
its param `promotion.model` may be moved from version `promotion.from` (or `none`) to version
`promotion.to`. MLflow params never change once written, so the run is also the record. Runs and
models must be in one database, as they are unless `MLFLOW_REGISTRY_URI` says otherwise.

A store opened without this package is not guarded; `registry.load_champion` proves what it loads.
"""

import os
from typing import Any

from mlflow.entities import LifecycleStage, RunStatus
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.entities.model_registry.model_version_stages import (
    STAGE_DELETED_INTERNAL,
    STAGE_PRODUCTION,
    get_canonical_stage,
)
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
from mlflow.store.tracking.dbmodels.models import SqlParam, SqlRun, SqlTag
from mlflow.utils.validation import _validate_model_version

from mmm_demo.store.champion import CHAMPION, PROMOTION_TAGS, market_of, promotion_params
from mmm_demo.store.creation import READ_REPLICA, first_use
from mmm_demo.store.locks import locked


class GatedStore(SqlAlchemyStore):
    """MLflow's SQL registry; for this package's models it refuses what passes by the gate.

    Every refusal is an `MlflowException` with PERMISSION_DENIED (403 by REST) that says why and
    what to do instead. The methods are those of MLflow's store.
    """

    def set_registered_model_alias(self, name: str, alias: str, version: object) -> None:
        """Refuse `champion`, except to the promotion that is under way."""
        market = market_of(name)
        if not market or alias != CHAMPION:
            super().set_registered_model_alias(name, alias, version)
            return
        # One at a time: of two promotions from one champion, the later is no longer from it.
        with locked(self.db_uri, f"champion-{name}"):
            if not self._promotion_under_way(name, version):
                raise _refusal(
                    f"champion of {name} moves only by a recorded promotion, and none from the "
                    f"champion of now to version {version} is under way",
                    f"mmm-demo promote --market {market} --version {version} "
                    f"(back to the former champion: mmm-demo promote --market {market} --rollback)",
                )
            super().set_registered_model_alias(name, alias, version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Refuse `champion`: without one, the next promotion would have nothing to beat."""
        market = market_of(name)
        if market and alias == CHAMPION:
            raise _refusal(
                f"{name} may not lose its champion: the next promotion would skip the contest",
                f"mmm-demo promote --market {market} --rollback",
            )
        super().delete_registered_model_alias(name, alias)

    def delete_model_version(self, name: str, version: object) -> None:
        """Refuse the champion, whose alias would go with it."""
        market = market_of(name)
        if market and self._champion(name) == str(_validate_model_version(version)):
            raise _refusal(
                f"version {version} is the champion of {name} and may not be deleted",
                f"first promote another: mmm-demo promote --market {market} --version N",
            )
        super().delete_model_version(name, version)

    def create_model_version(
        self, name: str, source: str, *rest: Any, **named: Any
    ) -> ModelVersion:
        """Refuse a copy of another version, as made by the button "Promote model" of the UI."""
        market = market_of(name)
        if market and _is_registered_version(source):
            raise _refusal(
                f"{name} takes no copies, and {source} is a version already",
                f"mmm-demo fit registers a version that passed, and mmm-demo promote --market "
                f"{market} makes it the champion",
            )
        return super().create_model_version(name, source, *rest, **named)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Refuse to give or take a market's name, and with it a champion."""
        market = market_of(name) or market_of(new_name)
        if market:
            raise _refusal(
                f"{name} may not become {new_name}: a champion belongs to its market",
                f"mmm-demo promote --market {market} makes a version of that market its champion",
            )
        return super().rename_registered_model(name, new_name)

    def transition_model_version_stage(
        self, name: str, version: object, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """Refuse `Production`, the champion of MLflow's older registries."""
        market = market_of(name)
        if market and get_canonical_stage(stage) == STAGE_PRODUCTION:
            raise _refusal(
                f"{name} has no stage {STAGE_PRODUCTION}; its plans come from its champion",
                f"mmm-demo promote --market {market} --version {version}",
            )
        return super().transition_model_version_stage(
            name, version, stage, archive_existing_versions
        )

    def _champion(self, name: str) -> str | None:
        # Never from a read replica, which may be behind.
        with self.ManagedSessionMaker(read_only=False) as session:
            found = self._get_registered_model_alias(session, name, CHAMPION)
            if not found:
                return None
            versions = self._get_query(session, SqlModelVersion).filter_by(
                name=name, version=found.version
            )
            there = versions.filter(SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL)
            # What is not there is no champion, whatever the alias says.
            return str(found.version) if there.first() else None

    def _promotion_under_way(self, name: str, version: object) -> bool:
        params = promotion_params(name, self._champion(name), version)
        with self.ManagedSessionMaker(read_only=False) as session:
            runs = session.query(SqlRun.run_uuid).filter_by(
                status=RunStatus.to_string(RunStatus.RUNNING), lifecycle_stage=LifecycleStage.ACTIVE
            )
            for table, wanted in ((SqlTag, PROMOTION_TAGS), (SqlParam, params)):
                for key, value in wanted.items():
                    having = session.query(table.run_uuid).filter_by(key=key, value=value)
                    runs = runs.filter(SqlRun.run_uuid.in_(having))
            return runs.first() is not None


class GatedWorkspaceStore(GatedStore, WorkspaceAwareSqlAlchemyStore):
    """The same for a server with workspaces."""


def open_store(store_uri: str, tracking_uri: str | None = None) -> GatedStore:
    """Return the gated store of a database, built as MLflow builds its own.

    Parameters
    ----------
    store_uri
        Address of the database.
    tracking_uri
        Not used; MLflow hands over both or neither by name.
    """
    store = GatedWorkspaceStore if MLFLOW_ENABLE_WORKSPACES.get() else GatedStore
    with first_use(store_uri):
        return store(store_uri, read_db_uri=os.environ.get(READ_REPLICA))


def _is_registered_version(source: str | None) -> bool:
    """Whether a source is `models:/name/version` or the like, not the logged model of a fit."""
    if not str(source).startswith("models:"):
        return False
    return _parse_model_uri(source).model_id is None


def _refusal(reason: str, next_step: str) -> MlflowException:
    # Another error code becomes HTTP 500, which clients retry for minutes and then hide.
    return MlflowException(f"refused: {reason}. Next step: {next_step}", PERMISSION_DENIED)
