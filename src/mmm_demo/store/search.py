"""Runs of the tracking store by what they are, as plain values; many of them at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts

from mmm_demo.store.runs import Run

PAGE = 1000


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
    client = MlflowClient()
    homes = [item.experiment_id for item in client.search_experiments()]
    wanted = f"tags.`mmm.kind` = '{kind}' and tags.market = '{market}'"
    found: list[Found] = []
    token = None
    while True:
        page = client.search_runs(
            homes,
            wanted,
            max_results=PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        for item in page:
            info, data = item.info, item.data
            found.append(
                Found(
                    run_id=info.run_id,
                    name=info.run_name or "",
                    status=info.status,
                    started=info.start_time,
                    params=dict(data.params),
                    metrics=dict(data.metrics),
                    tags=dict(data.tags),
                    artifacts=info.artifact_uri,
                )
            )
        if not (token := page.token):
            return found


def find_tagged(tags: Mapping[str, str]) -> list[Run]:
    """Return the runs that have all these tags, of all experiments, the oldest first."""
    client = MlflowClient()
    homes = [item.experiment_id for item in client.search_experiments()]
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    oldest = ["attributes.start_time ASC"]
    found = client.search_runs(homes, wanted, max_results=PAGE, order_by=oldest)
    return [Run(client, item.info.run_id, item.info.experiment_id) for item in found]
