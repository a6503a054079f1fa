"""Versions that lost their files and aliases that point to them: real versions in a real store."""

import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import urlparse

import pytest

from mmm_demo.checks.gate import GateReport
from mmm_demo.checks.proof import FILES
from mmm_demo.store.doctor.finding import FIX
from mmm_demo.store.doctor.remedies import Remedies
from mmm_demo.store.doctor.versions import alias_findings, record_findings, version_findings
from mmm_demo.store.health import own_models
from mmm_demo.store.provenance import COPY_TAG
from mmm_demo.store.registry import load_champion, prove_version
from versions import again, bind, data_folder, evidence_about, number_of, run_promotion


@pytest.fixture
def look(project):
    """Look at the versions and aliases of the one model in the store."""

    def find():
        (model,) = own_models()
        remedies = Remedies(model, project)
        found = record_findings(model, remedies)
        of_versions = {
            number: version_findings(version, remedies)
            for number, version in model.versions.items()
        }
        faulty = [number for number, items in of_versions.items() if items]
        found += [item for items in of_versions.values() for item in items]
        return [*found, *alias_findings(model, remedies, faulty)]

    return find


def run_by_hand(command):
    """Run a command that the doctor told; Python in this process, which has MLflow at hand."""
    if not command.startswith("uv run python"):
        assert "uv run" not in command
        subprocess.run(command, shell=True, check=True)
        return
    *words, code = shlex.split(command)
    assert words == ["uv", "run", "python", "-c"]
    exec(code, {})  # test_doctor_store runs one in a process of its own


def point(project, alias, number):
    """Set an alias as only the database lets one do."""
    database = project / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM registered_model_aliases WHERE alias = ?", (alias,))
        connection.execute(
            "INSERT INTO registered_model_aliases (name, alias, version, workspace) "
            "VALUES ('mmm_demo', ?, ?, 'default')",
            (alias, number),
        )


def add_a_byte(folder, name="trace.nc"):
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\0")


def copy_folder(version, store):
    run = store.get_run(again(version).tags[COPY_TAG])
    return Path(urlparse(run.info.artifact_uri).path) / "bundle"


def test_versions_and_aliases_in_order_are_no_finding(make_version, look):
    for _ in range(2):
        make_version()
        run_promotion()
    assert (number_of("champion"), number_of("previous")) == (2, 1)
    assert look() == []


def test_models_of_others_are_left_alone(make_version, store, look):
    make_version()
    store.create_registered_model("somebody_elses")
    assert look() == []


# Files


def test_a_missing_file_is_named_and_a_kept_copy_brings_it_back(make_version, look):
    version = make_version()
    run_promotion()
    for name in FILES:
        path = data_folder(version) / name
        before = path.read_bytes()
        path.unlink()
        (found,) = look()
        assert found.where == "version 1 of mmm_demo"
        assert f"{name} is missing" in found.what and "whole" in found.what
        assert (found.safe, found.mend) == (True, FIX)
        assert name in found.fix()
        assert path.read_bytes() == before
    assert look() == []


def test_a_missing_folder_is_brought_back(make_version, look):
    version = make_version()
    run_promotion()
    shutil.rmtree(data_folder(version).parents[1])
    (found,) = look()
    found.fix()
    assert look() == []
    assert number_of("champion") == int(load_champion("demo").version.version) == 1


def test_a_missing_file_without_a_copy_needs_a_person(make_version, look, project):
    version = make_version()
    (data_folder(version) / "trace.nc").unlink()
    (found,) = look()
    assert "trace.nc is missing" in found.what and not found.safe
    run_by_hand(found.mend.partition("give it up: ")[2])
    assert look() == []


def test_a_changed_byte_is_named_and_the_told_command_mends_it_keeping_what_was_there(
    make_version, look
):
    version = make_version()
    run_promotion()
    add_a_byte(data_folder(version))
    version_found, alias_found = look()
    assert "\n" not in version_found.mend + version_found.what + alias_found.what
    assert "trace.nc is changed" in version_found.what and not version_found.safe
    assert alias_found.where == "alias champion of mmm_demo"
    assert "mend version 1 first" in alias_found.mend
    assert version_found.mend.startswith("mv -n mlruns/")
    run_by_hand(version_found.mend)
    assert look() == []
    assert number_of("champion") == int(load_champion("demo").version.version) == 1
    assert (data_folder(version) / "trace.nc.changed").is_file()


def test_a_copy_that_is_gone_or_changed_is_made_again_from_the_version(make_version, look, store):
    version = make_version()
    run_promotion()
    folder = copy_folder(version, store)
    (folder / "config.json").unlink()
    add_a_byte(folder, "gate.json")
    (found,) = look()
    assert "config.json is missing, gate.json is changed" in found.what and not found.safe
    run_by_hand(found.mend)
    assert look() == []


def test_without_a_whole_place_another_version_is_to_be_promoted(make_version, look, store):
    make_version()
    lost = make_version()
    run_promotion()
    (data_folder(lost) / "trace.nc").unlink()
    add_a_byte(copy_folder(lost, store))
    own, copy, alias = look()
    mend = "uv run mmm-demo promote --market demo --version 1"
    assert [own.mend, copy.mend] == [mend] * 2
    assert "mend version 2 first" in alias.mend
    assert not any(item.safe for item in (own, copy, alias))
    run_promotion(1)
    assert int(load_champion("demo").version.version) == 1


def test_a_restored_file_never_replaces_one(make_version, look):
    version = make_version()
    run_promotion()
    path = data_folder(version) / "trace.nc"
    path.unlink()
    (found,) = look()
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        found.fix()
    assert path.read_bytes() == b"mine"


# Records


def test_a_tag_that_was_changed_is_found_and_the_command_sets_it_right(make_version, look, store):
    version = make_version()
    store.set_model_version_tag(version.name, version.version, "sha256.trace.nc", "0" * 64)
    (found,) = look()
    assert "tag sha256.trace.nc" in found.what
    run_by_hand(found.mend)
    assert look() == []
    prove_version(again(version))


def test_a_version_without_a_record_is_found(make_version, look, project):
    first, second, third = (make_version() for _ in range(3))
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute(
            "DELETE FROM params WHERE key LIKE 'version.%' AND run_uuid IN (?, ?)",
            (first.run_id, third.run_id),
        )
    (found,) = look()
    assert found.where == "versions 1, 3 of mmm_demo"
    run_by_hand(found.mend.partition("the old: ")[2])
    assert look() == []
    (model,) = own_models()
    assert list(model.versions) == [int(second.version)]


def test_evidence_that_is_gone_is_found(make_version, look):
    version = make_version()
    path = bind(version, evidence_about(version, {}))
    assert look() == []
    path.write_text("{}")
    (found,) = look()
    assert "evidence.json" in found.what
    assert found.mend == f"uv run mmm-demo evidence {version.run_id[:8]}"
    path.unlink()
    (found,) = look()
    assert "cannot be fetched" in found.what


# Aliases


def test_a_champion_that_never_passed_is_found_with_the_version_to_promote(
    make_version, look, project, demo
):
    good = make_version()
    failing = make_version(report=GateReport(demo.report.checks[:1]))
    point(project, "champion", failing.version)
    (found,) = look()
    assert found.where == "alias champion of mmm_demo"
    assert "points to version 2" in found.what and "stored verdict" in found.what
    assert found.mend == f"uv run mmm-demo promote --market demo --version {good.version}"
    assert not found.safe
    run_promotion(int(good.version))
    (found,) = look()  # the failing version is `previous` now
    assert found.where == "alias previous of mmm_demo"
    run_by_hand(found.mend)
    assert look() == []


def test_a_champion_without_a_promotion_on_record_is_found(make_version, look, project):
    version = make_version()
    point(project, "champion", version.version)
    (found,) = look()
    assert "no promotion" in found.what
    assert found.mend.startswith("uv run mmm-demo fit --experiment experiments/demo")


def test_only_previous_must_have_been_promoted(make_version, look, project):
    point(project, "challenger", make_version().version)
    assert look() == []
    point(project, "previous", 1)
    assert [found.where for found in look()] == ["alias previous of mmm_demo"]


def test_an_alias_of_a_version_that_is_not_there_is_found(make_version, look, project):
    make_version()
    for alias in ("challenger", "previous"):
        point(project, alias, 99)
        (found,) = look()
        assert f"alias {alias}" in found.where and "there is no such version" in found.what
        run_by_hand(found.mend)
        assert look() == []


def test_a_champion_alias_to_nowhere_can_be_promoted_away(make_version, look, project):
    make_version()
    point(project, "champion", 99)
    (found,) = look()
    assert found.mend == "uv run mmm-demo promote --market demo --version 1"
    assert run_promotion(1).former is None
    assert look() == []
    assert number_of("champion") == 1


def test_a_copy_that_was_collected_with_its_run_is_not_missed(make_version, look, project):
    version = make_version()
    run_promotion()
    gone = again(version).tags[COPY_TAG]
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute("DELETE FROM registered_model_aliases")
        for table in ("params", "tags", "latest_metrics", "metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (gone,))
    assert look() == []
