"""Versions, champions and what a forged one must not get: real stores, no refits."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import mlflow
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.cli import gc
from mlflow.entities.model_registry import ModelVersion
from pymc_marketing.mmm import MMM

from helpers import move_alias_by_force
from mmm_demo import registry
from mmm_demo.bundle import BundleRefused, sha256
from mmm_demo.config import BudgetConfig
from mmm_demo.gate import GateFile, GateRefused, GateReport
from mmm_demo.optimization import optimize_budget
from mmm_demo.registry import (
    DATA_FOLDER,
    HASH_TAG,
    NoVersionError,
    SetAlias,
    find_alias,
    find_version,
    load_champion,
    pinned_requirements,
    plan_promotion,
    promote,
)
from mmm_demo.trace import load_trace
from mmm_demo.tracking import open_run

MakeVersion = Callable[..., ModelVersion]


def model_folder(version: ModelVersion) -> Path:
    """Return where the store keeps a version's files."""
    return Path(
        urlparse(MlflowClient().get_model_version_download_uri(version.name, version.version)).path
    )


def data_folder(version: ModelVersion) -> Path:
    return model_folder(version) / DATA_FOLDER


def seal_tags(version: ModelVersion) -> None:
    """Make the version's recorded hashes agree with its files, as a forger would."""
    for path in data_folder(version).iterdir():
        MlflowClient().set_model_version_tag(
            version.name, version.version, f"{HASH_TAG}{path.name}", sha256(path)
        )


def crown(version: ModelVersion) -> None:
    """Make a version champion by hand, past every check."""
    move_alias_by_force(version.name, "champion", version.version)


def number_of(alias: str) -> int | None:
    found = find_alias("demo", alias)
    return int(found.version) if found else None


def run_promotion(
    number: int | None = None, *, reason: str = "a test", rollback: bool = False
) -> registry.Promotion:
    with open_run("promote demo", "promotion") as run:
        return promote(run, "demo", number, reason, rollback)


def last_run(client: MlflowClient):
    experiments = [item.experiment_id for item in client.search_experiments()]
    return client.search_runs(experiments, order_by=["attributes.start_time DESC"])[0]


def shift_a_chain(folder: Path) -> None:
    path = folder / "trace.nc"
    tree = load_trace(path)
    tree["posterior"]["saturation_beta"][0] += 1.0
    path.unlink()
    tree.to_netcdf(path, engine="h5netcdf")


# Registering


def test_a_version_belongs_to_its_market_and_its_run_and_carries_the_evidence(
    make_version, store, demo
):
    version = make_version()
    assert version.name == "mmm_demo"
    run = store.get_run(version.run_id)
    model_id = version.source.removeprefix("models:/")
    assert [output.model_id for output in run.outputs.model_outputs] == [model_id]
    logged = store.get_logged_model(model_id)
    assert logged.experiment_id == run.info.experiment_id
    assert str(logged.status) == "READY"
    assert logged.source_run_id == version.run_id
    tags = store.get_model_version("mmm_demo", version.version).tags
    assert tags["gate"] == "passed"
    hashes = {path.name: sha256(path) for path in data_folder(version).iterdir()}
    assert {key: tags[f"{HASH_TAG}{key}"] for key in hashes} == hashes
    assert set(hashes) == {"trace.nc", "config.json", "gate.json"}


def test_a_version_lies_in_the_experiment_of_its_run_whatever_mlflow_is_set_to(
    make_version, store, monkeypatch, project
):
    home = store.create_experiment("home")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", home)
    version = make_version()
    assert store.get_run(version.run_id).info.experiment_id == home
    assert model_folder(version).is_relative_to(project / "mlruns" / home)


def test_no_version_holds_a_pickle_and_none_is_larger_than_2_mb(make_version):
    files = [path for path in model_folder(make_version()).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".nc", ".json", ".py", ".yaml", ".txt", ""}
    assert [path.name for path in files if not path.suffix] == ["MLmodel"]
    # Protocol 2 and later begin with 0x80; nothing among these files does.
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]
    assert sum(path.stat().st_size for path in files) <= 2_000_000


def test_the_version_requires_exactly_the_projects_pins(make_version, project):
    folder = model_folder(make_version())
    pins = yaml.safe_load((project / "python_env.yaml").read_text())["dependencies"]
    assert pins == pinned_requirements(project)
    written = (folder / "requirements.txt").read_text().replace('"', "'").splitlines()
    assert [line.replace(" ", "") for line in written] == [pin.replace(" ", "") for pin in pins]
    assert any(pin.startswith("pymc-marketing==") for pin in pins)


def test_versions_of_one_market_count_up_and_markets_stay_apart(make_version, demo):
    north = replace(demo.experiment, market="north")
    made = [make_version(), make_version(experiment=north), make_version()]
    assert [(version.name, int(version.version)) for version in made] == [
        ("mmm_demo", 1),
        ("mmm_north", 1),
        ("mmm_demo", 2),
    ]


# Finding


def test_the_latest_version_that_passed_is_the_default(make_version, store):
    make_version()
    second = make_version()
    by_hand = store.create_model_version("mmm_demo", source=second.source, run_id=second.run_id)
    assert int(by_hand.version) == 3
    assert int(find_version("demo").version) == 2
    assert int(find_version("demo", 1).version) == 1
    assert int(find_version("demo", 3).version) == 3


def test_a_version_that_is_not_there_is_named_with_those_that_are(make_version):
    with pytest.raises(NoVersionError, match="mmm_demo has no version 7; versions: none"):
        find_version("demo", 7)
    with pytest.raises(NoVersionError, match="no version that passed; run: mmm-demo fit"):
        find_version("demo")
    make_version()
    make_version()
    with pytest.raises(NoVersionError, match="mmm_demo has no version 7; versions: 1, 2"):
        find_version("demo", 7)


def test_more_than_nine_versions_are_ordered_as_numbers(make_version, store):
    first = make_version()
    for _ in range(10):
        store.create_model_version(
            "mmm_demo", source=first.source, run_id=first.run_id, tags={"gate": "passed"}
        )
    assert int(find_version("demo").version) == 11


def test_no_champion_is_answered_with_the_next_step(make_version, store):
    expected = r"model 'mmm_demo' has no champion; run: mmm-demo promote --market demo"
    with pytest.raises(NoVersionError, match=expected):
        load_champion("demo")
    make_version()
    with pytest.raises(NoVersionError, match=expected):
        load_champion("demo")


# Promoting


@pytest.mark.parametrize(
    ("new", "champion", "moves"),
    [
        (1, None, [SetAlias("champion", 1)]),
        (2, 1, [SetAlias("previous", 1), SetAlias("champion", 2)]),
        (1, 2, [SetAlias("previous", 2), SetAlias("champion", 1)]),
        (2, 2, []),
    ],
)
def test_a_promotion_moves_the_former_champion_to_previous(new, champion, moves):
    assert plan_promotion(new, champion) == moves


def test_a_promotion_is_a_run_that_says_who_what_why_and_on_what_evidence(
    make_version, store, lean
):
    make_version()
    second = make_version()
    done = run_promotion(1, reason="first fit")
    assert (done.name, done.version, done.former) == ("mmm_demo", 1, None)
    done = run_promotion(reason="newer data")
    assert (done.version, done.former) == (2, 1)
    assert number_of("champion") == 2
    assert number_of("previous") == 1
    run = last_run(store)
    assert run.info.status == "FINISHED"
    params = run.data.params
    assert params["promotion.model"] == "mmm_demo"
    assert (params["promotion.from"], params["promotion.to"]) == ("1", "2")
    assert params["promotion.reason"] == "newer data"
    assert params["promotion.by"]
    assert params["promotion.rollback"] == "False"
    for name in ("trace.nc", "config.json", "gate.json"):
        assert params[f"evidence.{HASH_TAG}{name}"] == second.tags[f"{HASH_TAG}{name}"]
    assert run.data.tags["promotion"] == "done"
    assert run.data.tags["market"] == "demo"
    judged = GateFile.from_json((lean / "gate.json").read_text()).report.metrics()
    assert {name: run.data.metrics[name] for name in judged} == judged
    evidence = store.download_artifacts(run.info.run_id, "evidence.json")
    assert json.loads(Path(evidence).read_text())["passed"] is True


def test_promoting_the_champion_again_moves_nothing(make_version, store):
    make_version()
    run_promotion()
    run_promotion()
    assert number_of("champion") == 1
    assert number_of("previous") is None
    assert last_run(store).data.params["promotion.from"] == "1"


def test_a_rollback_swaps_back_and_forth(make_version, store):
    make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    for champion, previous in ((1, 2), (2, 1)):
        run_promotion(rollback=True)
        assert number_of("champion") == champion
        assert number_of("previous") == previous
    assert last_run(store).data.params["promotion.rollback"] == "True"


def test_there_must_be_something_to_roll_back_to(make_version, store):
    make_version()
    run_promotion(1)
    with pytest.raises(NoVersionError, match="'demo' has no previous champion to roll back to"):
        run_promotion(rollback=True)
    assert number_of("champion") == 1
    assert last_run(store).info.status == "FAILED"


def test_promoting_a_version_that_is_not_there_moves_nothing(make_version, store):
    make_version()
    run_promotion(1)
    with pytest.raises(NoVersionError, match="no version 9; versions: 1"):
        run_promotion(9)
    assert number_of("champion") == 1


def test_a_refused_promotion_moves_nothing_and_is_on_record(make_version, store):
    make_version()
    run_promotion(1)
    make_version(edit=shift_a_chain)
    with pytest.raises(BundleRefused, match="'draws judged again' failed: rhat_max"):
        run_promotion(2, reason="trust me")
    assert number_of("champion") == 1
    assert number_of("previous") is None
    run = last_run(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["promotion"] == "refused"
    assert run.data.params["promotion.to"] == "2"
    assert run.data.params["promotion.reason"] == "trust me"


def test_a_rollback_to_a_version_that_was_changed_since_is_refused(make_version):
    first = make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    (data_folder(first) / "gate.json").write_text("{}")
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        run_promotion(rollback=True)
    assert number_of("champion") == 2


# Loading the champion


def test_the_champion_comes_back_proven_and_is_the_fit(make_version, demo, lean):
    make_version()
    run_promotion()
    champion = load_champion("demo")
    assert int(champion.version.version) == 1
    assert champion.bundle.experiment == demo.experiment
    assert not champion.bundle.rejudged.failures
    xr.testing.assert_identical(
        champion.bundle.fitted.trace["posterior"].to_dataset(),
        load_trace(lean / "trace.nc")["posterior"].to_dataset(),
    )


def add_a_byte(version: ModelVersion) -> None:
    path = data_folder(version) / "trace.nc"
    path.write_bytes(path.read_bytes() + b"\0")


def edit_json(version: ModelVersion, name: str, change: Callable[[dict], None]) -> None:
    path = data_folder(version) / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def fail_a_check(version: ModelVersion) -> None:
    def change(gate: dict) -> None:
        gate["checks"][0] |= {"value": 0.9, "passed": False}
        gate["passed"] = False

    edit_json(version, "gate.json", change)


def whitewash(version: ModelVersion) -> None:
    fail_a_check(version)

    def change(gate: dict) -> None:
        gate["checks"][0]["passed"] = gate["passed"] = True

    edit_json(version, "gate.json", change)


def loosen(version: ModelVersion) -> None:
    def change(gate: dict) -> None:
        gate["checks"][0] |= {"value": 0.9, "limit": 0.95}

    edit_json(version, "gate.json", change)


def lengthen_the_lag(version: ModelVersion) -> None:
    edit_json(version, "config.json", lambda config: config["model"].update(adstock_max_lag=12))


def name_another_run(version: ModelVersion) -> None:
    edit_json(version, "gate.json", lambda gate: gate.update(run_id="0" * 32))


def raise_sales(version: ModelVersion) -> None:
    path = data_folder(version) / "trace.nc"
    tree = load_trace(path)
    tree["weekly_table"]["Sales"][0] += 1.0
    path.unlink()
    tree.to_netcdf(path, engine="h5netcdf")
    edit_json(version, "gate.json", lambda gate: gate["files"].update({"trace.nc": sha256(path)}))


def lose_the_trace(version: ModelVersion) -> None:
    (data_folder(version) / "trace.nc").unlink()


def lose_everything(version: ModelVersion) -> None:
    shutil.rmtree(model_folder(version))


TAMPERED: dict[str, tuple[Callable[[ModelVersion], None], str, str]] = {
    "a byte of the trace": (add_a_byte, r"bytes of trace\.nc", r"gate\.json belongs to trace\.nc"),
    "a failed verdict": (fail_a_check, r"bytes of gate\.json", "stored verdict"),
    "a failed verdict called passed": (whitewash, r"bytes of gate\.json", "readable"),
    "a loosened limit": (loosen, r"bytes of gate\.json", "readable"),
    "another run's verdict": (name_another_run, r"bytes of gate\.json", "run"),
    "the config": (lengthen_the_lag, r"bytes of config\.json", r"gate\.json belongs to config"),
    "the data": (raise_sales, r"bytes of trace\.nc", "data"),
    "a file missing": (lose_the_trace, "files", "files"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_champion_is_refused_with_and_without_new_hashes(make_version, case):
    tamper, plain, sealed = TAMPERED[case]
    version = make_version()
    crown(version)
    tamper(version)
    with pytest.raises(BundleRefused, match=f"check '{plain}.*' failed") as refusal:
        load_champion("demo")
    assert "champion version 1 of mmm_demo is refused" in str(refusal.value)
    assert "mmm-demo promote --market demo --version N" in str(refusal.value)
    seal_tags(version)
    with pytest.raises(GateRefused, match=f"check '{sealed}.*' failed"):
        load_champion("demo")


def test_a_version_whose_files_are_gone_is_refused(make_version):
    version = make_version()
    crown(version)
    lose_everything(version)
    with pytest.raises(BundleRefused, match="check 'files' failed: cannot be fetched"):
        load_champion("demo")


def test_draws_that_do_not_pass_are_refused_although_every_hash_agrees(make_version):
    crown(make_version(edit=shift_a_chain))
    with pytest.raises(BundleRefused, match="check 'draws judged again' failed: rhat_max"):
        load_champion("demo")


def test_an_alias_moved_by_hand_onto_a_failing_fit_is_refused(make_version, demo):
    checks = demo.report.checks
    failed = GateReport((replace(checks[0], value=0.9), *checks[1:]))
    crown(make_version(report=failed))
    with pytest.raises(BundleRefused, match="check 'stored verdict' failed"):
        load_champion("demo")


def test_an_alias_moved_by_hand_onto_an_unsealed_version_is_refused(make_version, store):
    first = make_version()
    by_hand = store.create_model_version(
        "mmm_demo", source=first.source, run_id=first.run_id, tags={"gate": "passed"}
    )
    crown(by_hand)
    with pytest.raises(BundleRefused, match=r"'bytes of trace.nc' failed: .* recorded None"):
        load_champion("demo")


def test_a_version_made_by_hand_of_a_runs_artifacts_is_refused(make_version, store, demo):
    store.create_registered_model("mmm_demo")
    with open_run("demo", "fit") as run:
        for name in ("trace.nc", "config.json", "gate.json"):
            run.log_file(demo.files / name)
    crown(store.create_model_version("mmm_demo", f"runs:/{run.run_id}/", run_id=run.run_id))
    with pytest.raises(BundleRefused, match="check 'files' failed"):
        load_champion("demo")


def test_a_true_version_under_another_run_is_refused(make_version, store):
    first, second = make_version(), make_version()
    copied = store.create_model_version(
        "mmm_demo", source=first.source, run_id=second.run_id, tags=first.tags
    )
    crown(copied)
    with pytest.raises(BundleRefused, match="check 'run' failed"):
        load_champion("demo")


def test_another_markets_version_is_refused(make_version, store, demo):
    north = make_version(experiment=replace(demo.experiment, market="north"))
    store.create_registered_model("mmm_demo")
    copied = store.create_model_version(
        "mmm_demo", source=north.source, run_id=north.run_id, tags=north.tags
    )
    crown(copied)
    with pytest.raises(BundleRefused, match="check 'market' failed: found mmm_north"):
        load_champion("demo")


# The promotion's own copy


def collect_garbage(version: ModelVersion) -> None:
    """Delete a version's run and logged model, and have MLflow take their files for good."""
    client = MlflowClient()
    client.delete_run(version.run_id)
    client.delete_logged_model(version.source.removeprefix("models:/"))
    uri = mlflow.get_tracking_uri()
    done = CliRunner().invoke(gc, ["--backend-store-uri", uri, "--tracking-uri", uri])
    assert done.exit_code == 0, done.output
    assert not [path for path in data_folder(version).parent.rglob("*") if path.is_file()]


def copied_files(version: ModelVersion) -> Path:
    """Return the folder of the promotion's own copy."""
    tags = MlflowClient().get_model_version(version.name, str(version.version)).tags
    run = MlflowClient().get_run(tags["promotion.run"])
    return Path(run.info.artifact_uri) / "bundle"


def test_a_promotion_keeps_a_copy_of_exactly_what_it_proved(make_version):
    version = make_version()
    (data_folder(version) / "planted.py").write_text("print()")
    run_promotion()
    copies = {path.name: sha256(path) for path in copied_files(version).iterdir()}
    assert copies == {name: version.tags[f"{HASH_TAG}{name}"] for name in copies}
    assert set(copies) == {"trace.nc", "config.json", "gate.json"}


def test_the_champion_outlives_its_run_and_its_logged_model(make_version, lean):
    first, second = make_version(), make_version()
    run_promotion(1)
    collect_garbage(first)
    champion = load_champion("demo")
    assert int(champion.version.version) == 1
    xr.testing.assert_identical(
        champion.bundle.fitted.trace["posterior"].to_dataset(),
        load_trace(lean / "trace.nc")["posterior"].to_dataset(),
    )
    # A version that was never promoted has no copy, and is lost.
    collect_garbage(second)
    with pytest.raises(BundleRefused, match="check 'files' failed: cannot be fetched"):
        run_promotion(2)
    assert number_of("champion") == 1


def test_a_rollback_needs_no_more_than_the_copy_and_makes_another(make_version):
    first = make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    collect_garbage(first)
    before = copied_files(first)
    run_promotion(rollback=True)
    assert copied_files(first) != before
    shutil.rmtree(before)  # the first promotion's copy is not needed any more
    assert number_of("champion") == 1
    assert int(load_champion("demo").version.version) == 1


@pytest.mark.parametrize("name", ["trace.nc", "config.json", "gate.json"])
def test_a_tampered_copy_is_refused(make_version, name):
    version = make_version()
    run_promotion()
    path = copied_files(version) / name
    path.write_bytes(path.read_bytes() + b" ")
    assert load_champion("demo")  # the version's own files come first
    collect_garbage(version)
    with pytest.raises(BundleRefused, match=f"check 'bytes of {name}' failed"):
        load_champion("demo")


def test_a_copy_does_not_stand_in_for_tampered_files(make_version):
    version = make_version()
    run_promotion()
    add_a_byte(version)
    with pytest.raises(BundleRefused, match=r"check 'bytes of trace.nc' failed"):
        load_champion("demo")


def test_both_places_are_named_when_both_are_lost(make_version):
    version = make_version()
    run_promotion()
    lose_the_trace(version)
    assert load_champion("demo")
    (copied_files(version) / "gate.json").unlink()
    with pytest.raises(
        BundleRefused, match=r"'files' failed: trace.nc missing .*gate.json missing"
    ):
        load_champion("demo")


# Nothing in the store is executed

PLANTED = """
from pathlib import Path

Path({marker!r}).write_text("executed")


def _load_pyfunc(data_path):
    return None
"""


def plant_code(version: ModelVersion, marker: Path) -> None:
    """Put code into every place of a version from which a loader could run it."""
    folder, code = model_folder(version), PLANTED.format(marker=str(marker))
    for name in ("planted.py", "sitecustomize.py", "mmm_demo/serving.py", "mmm_demo/__init__.py"):
        (folder / "code" / name).write_text(code)
    (folder / DATA_FOLDER / "planted.py").write_text(code)
    described = yaml.safe_load((folder / "MLmodel").read_text())
    described["flavors"]["python_function"]["loader_module"] = "planted"
    (folder / "MLmodel").write_text(yaml.safe_dump(described))


def name_a_function(folder: Path, marker: Path) -> None:
    """Name a function in the attributes from which PyMC-Marketing rebuilds its models."""
    call = {"__deferred__": True, "factory": "planted.make", "kwargs": {"path": str(marker)}}
    path = folder / "trace.nc"
    tree = load_trace(path)
    prior = {"dist": "Normal", "kwargs": {"mu": call, "sigma": 1.0}, "dims": []}
    tree.attrs["model_config"] = json.dumps({"intercept": prior, "likelihood": call})
    tree.attrs["time_varying_intercept"] = json.dumps(call)
    tree.attrs["mu_effects"] = json.dumps([call])
    path.unlink()
    tree.to_netcdf(path, engine="h5netcdf")


def test_a_plan_runs_no_code_and_follows_no_name_from_the_store(
    make_version, project, tmp_path, monkeypatch
):
    marker = tmp_path / "marker"
    version = make_version(edit=lambda folder: name_a_function(folder, marker))
    plant_code(version, marker)
    run_promotion()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the library rebuilt a model from what the trace says")

    for name in ("load", "load_from_idata", "attrs_to_init_kwargs"):
        monkeypatch.setattr(MMM, name, refuse)
    monkeypatch.setattr(mlflow.pyfunc, "load_model", refuse)
    champion = load_champion("demo")
    plan = optimize_budget(champion.bundle.fitted, BudgetConfig())
    assert plan.total_budget > 0
    assert not marker.exists()
    assert "planted" not in sys.modules
    assert not [path for path in sys.path if path.startswith(str(project))]


def test_the_planted_code_would_run_if_it_were_loaded(make_version, tmp_path, monkeypatch):
    # Without this, the test above could pass because the trap does not work.
    marker = tmp_path / "marker"
    version = make_version()
    plant_code(version, marker)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(mlflow.exceptions.MlflowException, match="missing required predict"):
        mlflow.pyfunc.load_model(f"models:/mmm_demo/{version.version}")
    assert marker.read_text() == "executed"
    monkeypatch.delitem(sys.modules, "planted")
