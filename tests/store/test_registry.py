"""Versions, champions and what a forged one must not get: real stores, no refits."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from pymc_marketing.mmm import MMM

from helpers import PROJECT, contents, move_alias_by_force
from mmm_demo.checks.gate import GateRefused, GateReport
from mmm_demo.checks.proof import BundleRefused, sha256
from mmm_demo.fits.trace import load_trace
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.settings.experiment import BudgetConfig
from mmm_demo.store.provenance import COPY_TAG, HASH_TAG
from mmm_demo.store.registry import (
    DATA_FOLDER,
    NoVersionError,
    find_version,
    load_champion,
    named_version,
    pinned_requirements,
)
from mmm_demo.store.runs import open_run
from versions import (
    add_a_byte,
    crown,
    data_folder,
    model_folder,
    number_of,
    run_promotion,
    seal_tags,
    shift_a_chain,
)

MakeVersion = Callable[..., ModelVersion]
SUFFIXES = {".nc", ".json", ".py", ".jinja", ".css", ".js", ".yaml", ".txt", ""}


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


def test_a_version_is_the_same_by_number_alias_and_run(make_version):
    version = make_version()
    run_promotion()
    found = [named_version("demo", name) for name in ("1", "champion", version.run_id)]
    assert [(item.version, item.aliases) for item in found] == [(version.version, ["champion"])] * 3


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
    assert {path.suffix for path in files} <= SUFFIXES
    assert [path.name for path in files if not path.suffix] == ["MLmodel"]
    # Protocol 2 and later begin with 0x80; nothing among these files does.
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]
    assert sum(path.stat().st_size for path in files) <= 2_000_000


def test_the_whole_package_is_packed_with_the_version(make_version):
    packed, ours = (
        {name: file[0] for name, file in contents(folder).items() if "__pycache__" not in name}
        for folder in (model_folder(make_version()) / "code/mmm_demo", PROJECT / "src/mmm_demo")
    )
    assert packed == ours
    assert {"serving.py", "reports/templates/style.css"} <= set(packed)


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


def edit_json(version: ModelVersion, name: str, change: Callable[[dict], None]) -> None:
    path = data_folder(version) / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def fail_a_check(version: ModelVersion) -> None:
    def change(gate: dict) -> None:
        gate["checks"][0] |= {"value": 0.9, "passed": False, "status": "failed"}
        gate["passed"] = False

    edit_json(version, "gate.json", change)


def whitewash(version: ModelVersion) -> None:
    fail_a_check(version)

    def change(gate: dict) -> None:
        gate["checks"][0] |= {"passed": True, "status": "passed"}
        gate["passed"] = True

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


# What the runs wrote down


def test_an_alias_moved_by_hand_onto_a_version_without_a_promotion_is_refused(make_version):
    version = make_version()
    move_alias_by_force("mmm_demo", "champion", 1)
    with pytest.raises(BundleRefused, match="check 'promotion' failed: no promotion of version 1"):
        load_champion("demo")
    crown(version)  # the same version with a record
    assert load_champion("demo")


def test_another_versions_promotion_is_no_record(make_version, store):
    make_version()
    second = make_version()
    run_promotion(1)
    tags = store.get_model_version("mmm_demo", "1").tags
    store.set_model_version_tag("mmm_demo", second.version, COPY_TAG, tags[COPY_TAG])
    move_alias_by_force("mmm_demo", "champion", 2)
    with pytest.raises(BundleRefused, match="check 'promotion' failed: no promotion of version 2"):
        load_champion("demo")


def test_files_forged_as_a_whole_differ_from_what_the_fit_wrote_down(make_version):
    version = make_version()
    run_promotion()
    lengthen_the_lag(version)
    gate = json.loads((data_folder(version) / "gate.json").read_text())
    config = sha256(data_folder(version) / "config.json")
    edit_json(version, "gate.json", lambda plain: plain["files"].update({"config.json": config}))
    assert gate["files"]["config.json"] != config
    seal_tags(version)
    with pytest.raises(BundleRefused, match=r"check 'written record of config\.json' failed"):
        load_champion("demo")


# The promotion's own copy


def collect_garbage(version: ModelVersion) -> None:
    """Delete a version's run and logged model, and have MLflow take their files for good."""
    from mlflow.cli import gc  # seconds to load

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
