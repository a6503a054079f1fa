"""The registry refuses to move a champion past the gate: client, REST, and the UI's own buttons."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from conftest import copy_project, enter_store
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from browser import CHROMIUM, Page, opened
from helpers import PYTHON, move_alias_by_force
from mmm_demo.jobs.promote import promote
from mmm_demo.store.gated_store import (
    CHAMPION,
    PROMOTION_TAGS,
    READ_REPLICA,
    GatedWorkspaceStore,
    market_of,
    open_store,
    promotion_params,
)
from mmm_demo.store.registry import find_alias
from mmm_demo.store.runs import open_run
from served import answers, served, wait_until
from versions import nothing_against

OURS, FOREIGN = "mmm_demo", "sales"
MakeVersion = Callable[..., ModelVersion]


def fill(client: MlflowClient, name: str, versions: int = 3) -> None:
    """Make a registered model with versions; this store looks at their names, not their files."""
    client.create_registered_model(name)
    for number in range(versions):
        client.create_model_version(name, source=f"/no/files/{number}")


def champion(client: MlflowClient, name: str = OURS) -> int | None:
    version = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if version is None else int(version)


@pytest.fixture
def registry(store: MlflowClient) -> MlflowClient:
    """A store with three versions of our model, the first of them champion, and a foreign model."""
    fill(store, OURS)
    fill(store, FOREIGN)
    move_alias_by_force(OURS, CHAMPION, 1)
    return store


@pytest.fixture
def refused() -> Callable[..., None]:
    """Check that a call is refused with 403, a reason and the next step."""

    def check(reason: str, call: Callable, *words: object, **named: object) -> None:
        with pytest.raises(MlflowException, match=f"refused: .*{reason}") as refusal:
            call(*words, **named)
        assert refusal.value.error_code == "PERMISSION_DENIED"
        assert refusal.value.get_http_status_code() == 403
        assert "Next step: " in str(refusal.value)
        assert "mmm-demo promote --market demo" in str(refusal.value)

    return check


# Moving the champion


@pytest.mark.parametrize("version", ["2", "1"])
def test_champion_is_not_moved_by_hand_and_the_refusal_says_what_to_do(registry, refused, version):
    move = registry.set_registered_model_alias
    refused("moves only by a recorded promotion", move, OURS, CHAMPION, version)
    refused(f"promote --market demo --version {version} ", move, OURS, CHAMPION, version)
    refused("mmm-demo promote --market demo --rollback", move, OURS, CHAMPION, version)
    assert champion(registry) == 1


def test_first_champion_is_not_set_by_hand(store, refused):
    fill(store, OURS)
    refused("recorded promotion", store.set_registered_model_alias, OURS, CHAMPION, "1")
    assert champion(store) is None


def test_other_aliases_of_our_models_move_freely(registry):
    for alias in ("previous", "challenger", "anything"):
        registry.set_registered_model_alias(OURS, alias, "2")
        registry.set_registered_model_alias(OURS, alias, "3")
        assert registry.get_model_version_by_alias(OURS, alias).version == 3
        registry.delete_registered_model_alias(OURS, alias)
    assert set(registry.get_registered_model(OURS).aliases) == {CHAMPION}


@dataclass(frozen=True)
class Record:
    """What a promotion run says, and how it stands, when the alias is moved to version 2."""

    params: dict[str, str]
    tags: dict[str, str]
    status: str = "RUNNING"
    deleted: bool = False

    def write(self, client: MlflowClient) -> None:
        run_id = client.create_run(client.create_experiment("promotions")).info.run_id
        for key, value in self.params.items():
            client.log_param(run_id, key, value)
        for key, value in self.tags.items():
            client.set_tag(run_id, key, value)
        if self.status != "RUNNING":
            client.set_terminated(run_id, self.status)
        if self.deleted:
            client.delete_run(run_id)


RIGHT = promotion_params(OURS, 1, 2)
WRONG = {
    "another version": Record(RIGHT | {"promotion.to": "3"}, PROMOTION_TAGS),
    "another model": Record(RIGHT | {"promotion.model": "mmm_north"}, PROMOTION_TAGS),
    "another champion before": Record(RIGHT | {"promotion.from": "3"}, PROMOTION_TAGS),
    "no champion before": Record(promotion_params(OURS, None, 2), PROMOTION_TAGS),
    "no params": Record({}, PROMOTION_TAGS),
    "no tags": Record(RIGHT, {}),
    "not yet accepted": Record(RIGHT, PROMOTION_TAGS | {"promotion": "refused"}),
    "done": Record(RIGHT, PROMOTION_TAGS | {"promotion": "done"}),
    "another kind of run": Record(RIGHT, PROMOTION_TAGS | {"mmm.kind": "fit"}),
    "finished": Record(RIGHT, PROMOTION_TAGS, status="FINISHED"),
    "failed": Record(RIGHT, PROMOTION_TAGS, status="FAILED"),
    "deleted": Record(RIGHT, PROMOTION_TAGS, deleted=True),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_record_of_something_else_moves_nothing(registry, refused, case):
    WRONG[case].write(registry)
    refused("recorded promotion", registry.set_registered_model_alias, OURS, CHAMPION, "2")
    assert champion(registry) == 1


def test_two_half_records_are_no_record(registry, refused):
    experiment = registry.create_experiment("promotions")
    for params, tags in ((RIGHT, {}), ({}, PROMOTION_TAGS)):
        run_id = registry.create_run(experiment, tags=tags).info.run_id
        for key, value in params.items():
            registry.log_param(run_id, key, value)
    refused("recorded promotion", registry.set_registered_model_alias, OURS, CHAMPION, "2")


def test_a_promotion_under_way_moves_the_champion_once(registry, refused):
    Record(RIGHT, PROMOTION_TAGS).write(registry)
    registry.set_registered_model_alias(OURS, CHAMPION, "2")
    assert champion(registry) == 2
    # Version 1 has been champion, and the run is still open: neither lets it back.
    refused("recorded promotion", registry.set_registered_model_alias, OURS, CHAMPION, "1")
    refused("recorded promotion", registry.set_registered_model_alias, OURS, CHAMPION, "3")


def test_promote_is_let_through_and_a_former_champion_is_not_put_back_by_hand(
    make_version: MakeVersion, store, refused
):
    make_version()
    make_version()
    for number in (1, 2):
        with open_run("promote demo", "promotion") as run:
            promote(run, "demo", number, "a test", False, nothing_against)
            assert store.get_run(run.run_id).data.tags["promotion"] == "done"
            # While its own run is still open, the promotion moves nothing more.
            refused(
                "recorded promotion",
                store.set_registered_model_alias,
                OURS,
                CHAMPION,
                str(number),
            )
        assert champion(store) == number
    refused("recorded promotion", store.set_registered_model_alias, OURS, CHAMPION, "1")
    with open_run("promote demo", "promotion") as run:
        promote(run, "demo", None, "a test", True, nothing_against)
    assert champion(store) == 1
    assert int(find_alias("demo", "previous").version) == 2


# Ways around the alias


def test_champion_is_not_taken_away(registry, refused):
    refused("skip the contest", registry.delete_registered_model_alias, OURS, CHAMPION)
    for version in ("1", "01"):
        refused("is the champion of mmm_demo", registry.delete_model_version, OURS, version)
    assert champion(registry) == 1
    registry.delete_model_version(OURS, "2")
    assert [int(item.version) for item in registry.search_model_versions(f"name = '{OURS}'")] == [
        3,
        1,
    ]


@pytest.mark.parametrize("source", ["sales/1", "sales@best", "sales/latest", "mmm_demo/1"])
def test_our_models_take_no_copies(registry, refused, source):
    registry.set_registered_model_alias(FOREIGN, "best", "1")
    source = f"models:/{source}"
    refused("takes no copies", registry.create_model_version, OURS, source=source)
    assert len(registry.search_model_versions(f"name = '{OURS}'")) == 3


def test_promote_model_of_the_client_is_refused(registry):
    with pytest.raises(MlflowException, match="mmm_demo takes no copies"):
        registry.copy_model_version("models:/sales/1", OURS)
    assert len(registry.search_model_versions(f"name = '{OURS}'")) == 3


def test_markets_keep_their_names(registry, refused):
    refused("a champion belongs to its market", registry.rename_registered_model, OURS, "other")
    refused("a champion belongs to its market", registry.rename_registered_model, FOREIGN, OURS)
    assert {model.name for model in registry.search_registered_models()} == {OURS, FOREIGN}


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage.*:FutureWarning")
def test_production_is_refused_and_other_stages_are_not(registry, refused):
    for stage in ("Production", "production"):
        refused("no stage", registry.transition_model_version_stage, OURS, "2", stage)
    assert registry.transition_model_version_stage(OURS, "2", "Archived").current_stage
    assert registry.get_model_version(OURS, "2").current_stage == "Archived"


# Other people's models


@pytest.mark.parametrize(
    ("name", "market"),
    [
        ("mmm_demo", "demo"),
        ("mmm_dt_mart2", "dt_mart2"),
        ("mmm_mmm_demo", "mmm_demo"),
        ("sales", None),
        ("mmm", None),
        ("mmm_", None),
        ("mmm_Demo", None),
        ("MMM_demo", None),
        ("mmm_demo\n", None),
        ("mmm_demo-2", None),
        ("my_mmm_demo", None),
        (None, None),
    ],
)
def test_our_names_are_those_that_registering_makes(name, market):
    assert market_of(name) == market


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage.*:FutureWarning")
@pytest.mark.parametrize("name", ["sales", "my_mmm_demo", "mmm_Demo", "mmm"])
def test_every_call_on_another_model_passes(store, name):
    fill(store, name)
    for version in ("1", "2"):
        store.set_registered_model_alias(name, CHAMPION, version)
        assert champion(store, name) == int(version)
    store.transition_model_version_stage(name, "2", "Production")
    assert int(store.copy_model_version(f"models:/{name}/2", name).version) == 4
    assert int(store.copy_model_version(f"models:/{name}@champion", "copies").version) == 1
    store.rename_registered_model(name, "renamed")
    store.delete_registered_model_alias("renamed", CHAMPION)
    store.set_registered_model_alias("renamed", CHAMPION, "3")
    store.delete_model_version("renamed", "3")
    store.delete_registered_model("renamed")
    assert [model.name for model in store.search_registered_models()] == ["copies"]


def test_a_copy_of_ours_may_go_to_another_name(registry):
    copied = registry.copy_model_version(f"models:/{OURS}/1", FOREIGN)
    assert (copied.name, int(copied.version)) == (FOREIGN, 4)


def test_without_the_store_the_alias_moves(registry):
    # What the tests above refuse is possible, and only this package refuses it.
    plain = SqlAlchemyStore(mlflow.get_registry_uri())
    plain.set_registered_model_alias(OURS, CHAMPION, "2")
    assert champion(registry) == 2


# How MLflow opens it


def test_read_replica_and_workspaces_are_still_mlflows_own(
    store, monkeypatch, tmp_path, store_template
):
    from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR

    uri = mlflow.get_registry_uri()
    assert READ_REPLICA_BACKEND_STORE_URI_ENV_VAR == READ_REPLICA
    replica = shutil.copyfile(store_template, tmp_path / "replica.db")
    monkeypatch.setenv(READ_REPLICA, f"sqlite:///{replica}")
    assert str(open_store(uri).read_engine.url).endswith("replica.db")
    monkeypatch.delenv(READ_REPLICA)
    assert open_store(uri).read_engine is None
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    spaced = open_store(uri)
    assert isinstance(spaced, GatedWorkspaceStore)
    assert spaced.supports_workspaces


@pytest.mark.slow
def test_loading_the_plugin_costs_no_model_library():
    heavy = "{'pymc', 'pymc_marketing', 'pytensor', 'arviz', 'matplotlib', 'nutpie', 'xarray'}"
    script = f"import sys, mmm_demo.store.gated_store; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# A real server


@dataclass(frozen=True)
class Server:
    """A running server, its address, and a client that goes to the database behind it."""

    address: str
    direct: MlflowClient

    def post(self, call: str, **content: str) -> tuple[int, str]:
        """Call the REST API; return the status and the message."""
        request = urllib.request.Request(
            f"{self.address}/{call}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["message"]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, store_template: Path, user_environment: dict[str, str]
) -> Iterator[Server]:
    root = copy_project(tmp_path_factory.mktemp("server") / "project")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with pytest.MonkeyPatch.context() as patch:
        uri = enter_store(patch, root, store_template)
        direct = MlflowClient(tracking_uri=uri, registry_uri=uri)
        fill(direct, OURS)
        fill(direct, FOREIGN)
        move_alias_by_force(OURS, CHAMPION, 1)
    with served(command, root, user_environment | lean) as (address, process, log):
        wait_until(lambda: answers(address), process, log)
        yield Server(address, direct)


@pytest.mark.slow
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_rest_answers_403_with_the_reason(server, api):
    call = f"{api}/2.0/mlflow/registered-models/alias"
    status, message = server.post(call, name=OURS, alias=CHAMPION, version="2")
    assert status == 403
    assert "moves only by a recorded promotion" in message
    assert "mmm-demo promote --market demo --version 2" in message
    assert champion(server.direct) == 1
    status, _ = server.post(call, name=OURS, alias="challenger", version="2")
    assert status == 200


@pytest.mark.slow
def test_a_client_of_the_server_is_refused_and_a_recorded_promotion_is_not(server, refused):
    client = MlflowClient(tracking_uri=server.address, registry_uri=server.address)
    with pytest.raises(MlflowException, match="mmm_demo takes no copies"):
        client.copy_model_version("models:/sales/1", OURS)
    with pytest.raises(MlflowException, match="a champion belongs to its market"):
        client.rename_registered_model(OURS, "other")
    with pytest.raises(MlflowException, match="skip the contest"):
        client.delete_registered_model_alias(OURS, CHAMPION)
    Record(RIGHT, PROMOTION_TAGS).write(client)
    client.set_registered_model_alias(OURS, CHAMPION, "2")
    assert champion(server.direct) == 2
    SqlAlchemyStore(server.direct.tracking_uri).set_registered_model_alias(OURS, CHAMPION, "1")


@pytest.fixture
def page(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the UI in a real browser."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; .ci/run installs it")
    with opened(f"{server.address}/#/models/{request.param}", tmp_path / "profile") as opened_page:
        yield opened_page


@pytest.mark.slow
@pytest.mark.parametrize("page", [f"{FOREIGN}/versions/1"], indirect=True)
def test_button_promote_model_of_the_ui_is_refused_with_the_reason(server, page):
    for text in ("Promote model", "Select a model", OURS, "Promote"):
        page.click(text)
    shown = page.wait_for("takes no copies")
    assert "mmm-demo promote --market demo makes it the champion" in shown
    assert len(server.direct.search_model_versions(f"name = '{OURS}'")) == 3


@pytest.mark.slow
@pytest.mark.parametrize("page", [f"{OURS}/versions/3"], indirect=True)
def test_alias_dialog_of_the_ui_is_refused_with_the_reason(server, page):
    page.click("Add")
    page.click("Enter aliases (champion, challenger, etc)")
    page.type(CHAMPION)
    page.click(CHAMPION)
    page.click("Save aliases")
    shown = page.wait_for("moves only by a recorded promotion")
    assert "mmm-demo promote --market demo --version 3" in shown
    assert champion(server.direct) == 1
