"""Runs of the tracking store by what they are, as plain values; many of them at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts

from mmm_demo.store.runs import Run, stored_runs


@dataclass(frozen=True)
class Found:
    """A run and what it logged.

    Attributes
    ----------
    run_id, name, status
        RUNNING, FINISHED, FAILED or KILLED.
    started
        Milliseconds since 1970.
    params, metrics, tags
        What it logged; of each metric the last value.
    artifacts
        Where its artifacts are.
    """

    run_id: str
    name: str
    status: str
    started: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    artifacts: str

    def download(self, folder: str, target: Path) -> bool:
        """Download a folder of the run's artifacts; say whether there is one.

        Straight from where it is: a client asks the store thrice about a run that is known here.
        """
        listed = {PurePosixPath(item.path).name for item in list_artifacts(self.artifacts)}
        if folder not in listed:
            return False
        download_artifacts(f"{self.artifacts}/{folder}", dst_path=str(target))
        return True


def search_runs(kind: str, market: str) -> list[Found]:
    """Return the runs of a kind in a market, of all experiments, the latest first."""
    return [
        Found(
            run_id=run.info.run_id,
            name=run.info.run_name or "",
            status=run.info.status,
            started=run.info.start_time,
            params=dict(run.data.params),
            metrics=dict(run.data.metrics),
            tags=dict(run.data.tags),
            artifacts=run.info.artifact_uri,
        )
        for run in stored_runs(_tagged({"mmm.kind": kind, "market": market}))
    ]


def find_tagged(tags: Mapping[str, str]) -> list[Run]:
    """Return the runs that have all these tags, of all experiments, the oldest first."""
    client, found = MlflowClient(), stored_runs(_tagged(tags), "ASC")
    return [Run(client, run.info.run_id, run.info.experiment_id) for run in found]


def _tagged(tags: Mapping[str, str]) -> str:
    return " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
