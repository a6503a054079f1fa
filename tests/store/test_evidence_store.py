"""Evidence in the store: bound by hash, and refused when it is not what was bound."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from evidence_tables import FILES, backtest_table, placebo_table, recovery_table
from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED, GateRefused
from mmm_demo.checks.proof import sha256
from mmm_demo.evidence.gathered import EVIDENCE
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.provenance import HASH_TAG
from mmm_demo.store.runs import open_run
from versions import again, bind, evidence_about

Make = Callable[[], ModelVersion]


@pytest.fixture
def make(store: MlflowClient) -> Make:
    """Register versions with recorded hashes; evidence is not about more than these."""
    store.create_registered_model("mmm_demo")

    def register() -> ModelVersion:
        with open_run("demo", "fit") as run:
            tags = {f"{HASH_TAG}{name}": digest for name, digest in FILES.items()}
            return store.create_model_version(
                "mmm_demo", source="/no/files", run_id=run.run_id, tags=tags
            )

    return register


def refusal(version: ModelVersion) -> str:
    with pytest.raises(GateRefused) as refused:
        load_evidence(again(version))
    said, next_step = str(refused.value).rsplit("; ", 1)
    assert next_step == f"gather it anew: mmm-demo evidence {version.run_id}"
    return said


def test_a_version_that_nobody_examined_has_no_evidence(make: Make) -> None:
    assert load_evidence(make()) is None


def test_evidence_comes_back_as_it_was_bound(make: Make) -> None:
    version = make()
    tables = {"backtest": backtest_table(), "placebo": placebo_table()}
    made = evidence_about(version, tables, recovery="too few weeks")
    path = bind(version, made)
    read = load_evidence(again(version))
    assert read is not None
    assert read.to_json() == made.to_json()
    assert read.unassessed == {"recovery": "too few weeks"}
    tags = again(version).tags
    assert tags["sha256.evidence.json"] == sha256(path)
    assert tags["evidence.run"] in str(path)


def test_the_worst_check_of_a_battery_stands_beside_the_version(make: Make) -> None:
    version = make()
    narrow = backtest_table().assign(upper_94=90.5)
    tables = {"backtest": narrow, "placebo": placebo_table(), "recovery": recovery_table()}
    made = evidence_about(version, tables, sensitivity="no plan")
    assert {check.status for check in made.checks if check.stage == "backtest"} == {PASSED, FAILED}
    bind(version, made)
    tags = again(version).tags
    shown = {name: tags[f"evidence.{name}"] for name in (*tables, "sensitivity")}
    assert shown == {
        "backtest": FAILED,
        "placebo": PASSED,
        "recovery": PASSED,
        "sensitivity": NOT_ASSESSABLE,
    }


def test_later_evidence_takes_the_place_of_earlier(make: Make) -> None:
    version = make()
    bind(version, evidence_about(version, {"placebo": placebo_table(believed=3)}))
    assert again(version).tags["evidence.placebo"] == FAILED
    bind(again(version), evidence_about(version, {"placebo": placebo_table()}))
    assert again(version).tags["evidence.placebo"] == PASSED
    bind(again(version), evidence_about(version, {"backtest": backtest_table()}))
    assert "evidence.placebo" not in again(version).tags
    read = load_evidence(again(version))
    assert read is not None
    assert list(read.tables) == ["backtest"]


# Not what was bound


def edited(path: Path) -> bytes:
    """Return evidence with another row and the verdicts of before."""
    plain = json.loads(path.read_text())
    plain["tables"]["placebo"][1]["share_lower_5"] = 0.5
    return json.dumps(plain).encode()


def forge(version: ModelVersion, content: bytes) -> None:
    """Record content as a version's evidence, with hashes that agree, as only a run can."""
    with open_run("evidence", "evidence") as run:
        path = Path(urlparse(run.client.get_run(run.run_id).info.artifact_uri).path) / EVIDENCE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = {f"{HASH_TAG}{EVIDENCE}": sha256(path)}
        run.log(params=digest)
    for key, value in ({"evidence.run": run.run_id} | digest).items():
        run.client.set_model_version_tag("mmm_demo", str(version.version), key, value)


def test_an_edited_file_is_refused_by_its_hash(make: Make, store: MlflowClient) -> None:
    version = make()
    path = bind(version, evidence_about(version, {"placebo": placebo_table(believed=1)}))
    assert load_evidence(again(version))
    path.write_bytes(edited(path))
    assert "check 'bytes of evidence.json' failed: not the file that was bound" in refusal(version)
    store.set_model_version_tag("mmm_demo", version.version, f"{HASH_TAG}{EVIDENCE}", sha256(path))
    assert "check 'bytes of evidence.json' failed: not the file that was bound" in refusal(version)


def test_a_forged_file_whose_hashes_agree_is_refused_by_its_rows(make: Make) -> None:
    version = make()
    path = bind(version, evidence_about(version, {"placebo": placebo_table(believed=1)}))
    forge(version, path.read_bytes())
    assert load_evidence(again(version))  # the forger's way works where nothing is changed
    forge(version, edited(path))
    assert "check 'evidence' failed: evidence.json contradicts itself" in refusal(version)
    forge(version, b"{}")
    assert "check 'evidence' failed: evidence.json is not readable" in refusal(version)
    forge(version, b"\x89HDF\xff\xfe")
    assert "not readable evidence" in refusal(version)


def test_a_file_without_a_recorded_hash_is_refused(make: Make, store: MlflowClient) -> None:
    version = make()
    bind(version, evidence_about(version, {"placebo": placebo_table()}))
    store.delete_model_version_tag("mmm_demo", version.version, f"{HASH_TAG}{EVIDENCE}")
    assert "check 'bytes of evidence.json' failed" in refusal(version)


def test_evidence_that_is_gone_is_refused_not_forgotten(make: Make, store: MlflowClient) -> None:
    version = make()
    path = bind(version, evidence_about(version, {"placebo": placebo_table()}))
    path.unlink()
    assert "check 'evidence' failed: cannot be fetched: run" in refusal(version)
    shutil.rmtree(path.parent)
    assert "cannot be fetched" in refusal(version)
    store.set_model_version_tag("mmm_demo", version.version, "evidence.run", "0" * 32)
    assert "cannot be fetched: 0 runs start with" in refusal(version)


def test_another_versions_evidence_is_refused(make: Make, store: MlflowClient) -> None:
    first, second = make(), make()
    bind(first, evidence_about(first, {"placebo": placebo_table()}))
    for key in ("evidence.run", f"{HASH_TAG}{EVIDENCE}"):
        store.set_model_version_tag("mmm_demo", second.version, key, again(first).tags[key])
    assert load_evidence(again(first))
    assert f"evidence.json is about run {first.run_id}, not about {second.run_id}" in refusal(
        second
    )


@pytest.mark.parametrize("name", FILES)
def test_evidence_about_files_that_were_changed_since_is_refused(
    make: Make, store: MlflowClient, name: str
) -> None:
    version = make()
    bind(version, evidence_about(version, {"placebo": placebo_table()}))
    store.set_model_version_tag("mmm_demo", version.version, f"{HASH_TAG}{name}", "dd")
    assert refusal(version) == f"evidence.json is about another {name} than this version's"
    store.delete_model_version_tag("mmm_demo", version.version, f"{HASH_TAG}{name}")
    assert refusal(version) == f"evidence.json is about another {name} than this version's"
