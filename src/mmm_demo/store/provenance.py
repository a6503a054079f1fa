"""What runs recorded about a version: MLflow never changes a param once it is written."""

from collections.abc import Mapping

from mlflow.entities.model_registry import ModelVersion

from mmm_demo.checks.proof import FILES, BundleRefused
from mmm_demo.store.runs import Run, RunNotFoundError, find_run

HASH_TAG = "sha256."
COPY_TAG = "promotion.run"  # the promotion run of a version, which keeps a copy of its files
PROMOTED = ("accepted", "done")


def write_hashes(run: Run, hashes: Mapping[str, str]) -> None:
    """Write down the hashes of a version's files as params of its fit run."""
    run.log(params={f"version.{HASH_TAG}{name}": digest for name, digest in hashes.items()})


def require_written(version: ModelVersion) -> None:
    """Refuse recorded hashes other than those that were written down when the version was made.

    Tags can be changed by anyone, params by no one.

    Raises
    ------
    BundleRefused
        Names the file.
    """
    hashes = written_hashes(version)
    for name in FILES:
        written, found = hashes.get(name), version.tags.get(HASH_TAG + name)
        if written is None or written != found:
            raise BundleRefused(
                f"check 'written record of {name}' failed: the run that made the version wrote "
                f"{written}, the version says {found}"
            )


def written_hashes(version: ModelVersion) -> dict[str, str]:
    """Return the sha256 by file that runs wrote down.

    Those of the fit run; of the promotion run, which wrote them again, when the fit run is gone;
    empty without both.
    """
    runs = ((str(version.run_id), "version."), (version.tags.get(COPY_TAG, ""), "evidence."))
    for run_id, prefix in runs:
        try:
            run = find_run(run_id)
        except RunNotFoundError:
            continue
        params = run.client.get_run(run.run_id).data.params
        keys = {name: f"{prefix}{HASH_TAG}{name}" for name in FILES}
        return {name: params[key] for name, key in keys.items() if key in params}
    return {}


def promoted(version: ModelVersion) -> bool:
    """Whether a promotion that accepted this very version is on record."""
    try:
        run = find_run(version.tags[COPY_TAG])
    except (KeyError, RunNotFoundError):
        return False
    data = run.client.get_run(run.run_id).data
    return (
        data.tags.get("mmm.kind") == "promotion"
        and data.tags.get("promotion") in PROMOTED
        and data.params.get("promotion.model") == version.name
        and data.params.get("promotion.to") == str(version.version)
    )


def require_promoted(version: ModelVersion) -> None:
    """Refuse a version that no promotion on record accepted.

    Raises
    ------
    BundleRefused
        Names the check.
    """
    if not promoted(version):
        raise BundleRefused(
            f"check 'promotion' failed: no promotion of version {version.version} is on record"
        )
