"""One result, two places: the run's artifacts and `outputs/`, where nothing is overwritten."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mmm_demo.plots.picture import Picture, drawn, pictures
from mmm_demo.settings.names import snake_case
from mmm_demo.store.runs import Run, temporary_folder

if TYPE_CHECKING:  # a figure is written as it is; every module that draws one need not be loaded
    from mmm_demo.plots.style import NamedFigure

# In `outputs/`: `mark` is a description and the first characters of the run, `of` what a figure is
# of.
PLACES = {
    "model": "models/mmm_fit_{today}_{mark}.nc",
    "diagnostics": "plots/diagnostics/{of}_{mark}.png",
    "contributions": "plots/contributions/{of}_{mark}.png",
    "table": "tables/{mark}_{today}.csv",
    "scenario": "optimization/budget_scenario_{mark}.csv",
    "plan_figure": "optimization/budget_{of}_{mark}.png",
    "plan_page": "optimization/budget_report_{mark}.html",
    "experiment": "experiments/{mark}.yaml",
    "page": "reports/{mark}.html",
}


@dataclass(frozen=True)
class Publisher:
    """Writes results for one run.

    Attributes
    ----------
    run
        Gets the artifacts, under names that are the same for every run.
    root
        The project's folder, whose `outputs/` gets the same files, under names that no other run
        has.
    beside
        Process that draws figures while this one goes on; without one they are drawn here. At the
        end of a `with` block the publisher waits for them, also of what was refused.
    """

    run: Run
    root: Path
    today: date = field(default_factory=date.today)
    beside: Executor | None = None
    _asked: list[Future[list[Picture]]] = field(default_factory=list)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):  # Ctrl-C waits for nothing
            self.finish()

    @property
    def outputs(self) -> Path:
        """The folder of all runs' files."""
        return self.root / "outputs"

    def path(self, kind: str, description: str, of: str = "") -> Path:
        """Return the path of a new file, whose folder is there.

        Parameters
        ----------
        kind
            One of `PLACES`.
        description
            What the file holds; of a figure its name, of a plan's figure the plan.
        of
            Step, channel or plot that a figure is of.

        Raises
        ------
        FileExistsError
            When there is such a file.
        """
        mark = f"{snake_case(description)}_{self.run.run_id[:8]}"
        name = PLACES[kind].format(today=self.today, mark=mark, of=snake_case(of))
        path = self.outputs / name
        if path.exists():
            raise FileExistsError(f"{path} exists and is never overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def figures(self, figures: Iterable["NamedFigure"]) -> None:
        """Write figures as PNG."""
        self._pictures(pictures(figures))

    def draw(self, figures: Callable[..., Iterable["NamedFigure"]], *what: Any) -> None:
        """Have a function's figures of something drawn; `finish` writes them."""
        if self.beside is None:
            self.figures(figures(*what))
        else:
            self._asked.append(self.beside.submit(drawn, figures, *what))

    def finish(self) -> None:
        """Write the figures that were asked for, in that order, when they are drawn.

        Raises
        ------
        RuntimeError
            When the process that draws them has ended.
        """
        while self._asked:
            try:
                made = self._asked.pop(0).result()
            except BrokenExecutor as error:
                raise RuntimeError(
                    f"run {self.run.run_id} lacks figures: the process that draws them has ended, "
                    "perhaps for want of memory; of a fit that passed, they are made again by: "
                    f"mmm-demo report {self.run.run_id[:8]}"
                ) from error
            self._pictures(made)

    def _pictures(self, made: Iterable[Picture]) -> None:
        for item in made:
            path = self.path(item.folder, item.name, item.subject)
            path.write_bytes(item.png)
            name = f"{snake_case(item.subject)}_{item.name}.png"
            self._log(path, f"plots/{item.folder}/{name}")

    def table(self, table: pd.DataFrame, description: str) -> None:
        """Write a table as CSV."""
        text = table.to_csv(index=False)
        self._write("table", text, description, f"tables/{snake_case(description)}.csv")

    def scenario(self, table: pd.DataFrame, description: str, name: str) -> Path:
        """Write a budget scenario as CSV; `name` is that of the scenario in its run."""
        text = table.to_csv(index=False, date_format="%Y-%m-%d")
        return self._write("scenario", text, description, f"plan/budget_scenario_{name}.csv")

    def plan_report(self, html: str, pictures: Mapping[str, bytes], description: str) -> Path:
        """Write the report on plans, and its figures, which are PNG by name."""
        for name, picture in pictures.items():
            path = self.path("plan_figure", description, name)
            path.write_bytes(picture)
            self._log(path, f"plots/optimization/budget_{snake_case(name)}.png")
        return self._write("plan_page", html, description, "reports/budget_report.html")

    def page(self, html: str, description: str) -> Path:
        """Write a self-contained HTML page."""
        return self._write("page", html, description, f"reports/{snake_case(description)}.html")

    def experiment(self, text: str, description: str) -> Path:
        """Write an experiment file."""
        artifact = f"experiments/{snake_case(description)}.yaml"
        return self._write("experiment", text, description, artifact)

    def trace(self, stored: Path, description: str) -> None:
        """Copy a stored trace to `outputs/`."""
        shutil.copyfile(stored, self.path("model", description))

    def _write(self, kind: str, text: str, description: str, artifact: str) -> Path:
        path = self.path(kind, description)
        path.write_text(text, encoding="utf-8", newline="")
        self._log(path, artifact)
        return path

    def _log(self, path: Path, artifact: str) -> None:
        folder, _, name = artifact.rpartition("/")
        with temporary_folder() as staging:
            self.run.log_file(Path(shutil.copyfile(path, staging / name)), folder)
