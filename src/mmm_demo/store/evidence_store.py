"""Evidence in the store: bound to the version that it is about."""

import hashlib

import mlflow
from mlflow.entities.model_registry import ModelVersion

from mmm_demo.checks.gate import GateRefused, worst_by_stage
from mmm_demo.checks.proof import FILES, sha256
from mmm_demo.evidence.gathered import EVIDENCE, Evidence, EvidenceError, read_evidence
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES
from mmm_demo.store.provenance import HASH_TAG
from mmm_demo.store.runs import Run, find_run, temporary_folder

EVIDENCE_TAG = "evidence.run"


def bind_evidence(run: Run, version: ModelVersion, evidence: Evidence) -> None:
    """Bind evidence to the version that it is about, by the hash of the file."""
    digest = {f"{HASH_TAG}{EVIDENCE}": _digest(evidence)}
    run.log(params=digest)  # a param never changes, a tag may
    tags = {EVIDENCE_TAG: run.run_id} | digest
    found = worst_by_stage(evidence.checks)
    tags |= {f"evidence.{stage}": status for stage, status in found.items()}
    client, name, number = run.client, version.name, str(version.version)
    for key in (f"evidence.{battery}" for battery in EVIDENCE_BATTERIES):
        if key in version.tags and key not in tags:  # of evidence that was refused
            client.delete_model_version_tag(name, number, key)
    for key, value in tags.items():
        client.set_model_version_tag(name, number, key, value)


def _digest(evidence: Evidence) -> str:
    return hashlib.sha256(evidence.to_json().encode()).hexdigest()


def load_evidence(version: ModelVersion) -> Evidence | None:
    """Load the evidence about a version; None when none was gathered.

    Raises
    ------
    GateRefused
        When the stored evidence is not what was bound to the version.
    """
    if EVIDENCE_TAG not in version.tags:
        return None
    try:
        return _bound_evidence(version)
    except GateRefused as refusal:
        next_step = f"gather it anew: mmm-demo evidence {version.run_id}"
        raise GateRefused(f"{refusal}; {next_step}") from None


def _bound_evidence(version: ModelVersion) -> Evidence:
    with temporary_folder() as folder:
        try:
            run = find_run(version.tags[EVIDENCE_TAG])
            path = run.download(EVIDENCE, folder)
        except (OSError, mlflow.exceptions.MlflowException) as error:
            raise GateRefused(f"check 'evidence' failed: cannot be fetched: {error}") from None
        written = run.client.get_run(run.run_id).data.params.get(f"{HASH_TAG}{EVIDENCE}")
        if not sha256(path) == version.tags.get(f"{HASH_TAG}{EVIDENCE}") == written:
            raise GateRefused(f"check 'bytes of {EVIDENCE}' failed: not the file that was bound")
        try:
            evidence = read_evidence(path)
        except EvidenceError as error:
            raise GateRefused(f"check 'evidence' failed: {error}") from None
    hashes = {name: str(version.tags.get(f"{HASH_TAG}{name}")) for name in FILES}
    evidence.require_about(hashes, str(version.run_id))
    return evidence
