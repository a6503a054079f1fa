"""One result, two places: the run's artifacts and `outputs/`."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mmm_demo.settings.names import snake_case
from mmm_demo.store.outputs import Outputs
from mmm_demo.store.runs import Run, temporary_folder

if TYPE_CHECKING:  # a figure is written as it is; every module that draws one need not be loaded
    from mmm_demo.plots.style import NamedFigure

PNG_DPI = 110


@dataclass(frozen=True)
class Publisher:
    """Writes results for one run.

    Attributes
    ----------
    run
        Gets the artifacts, under names that are the same for every run.
    outputs
        Gets the same files, under names that no other run has.
    """

    run: Run
    outputs: Outputs

    def figures(self, figures: Iterable["NamedFigure"]) -> None:
        """Write figures as PNG."""
        for item in figures:
            if item.folder == "diagnostics":
                path = self.outputs.diagnostics(item.subject, item.name)
            else:
                path = self.outputs.contributions(item.subject, item.name)
            item.figure.savefig(path, dpi=PNG_DPI)
            clean = f"{snake_case(item.subject)}_{item.name}.png"
            self._log(path, f"plots/{item.folder}", clean)

    def table(self, table: pd.DataFrame, description: str) -> None:
        """Write a table as CSV."""
        path = self.outputs.table(description)
        table.to_csv(path, index=False)
        self._log(path, "tables", f"{snake_case(description)}.csv")

    def scenario(self, table: pd.DataFrame, description: str, name: str) -> Path:
        """Write a budget scenario as CSV; `name` is that of the scenario in its run."""
        path = self.outputs.scenario(description)
        table.to_csv(path, index=False, date_format="%Y-%m-%d")
        self._log(path, "plan", f"budget_scenario_{name}.csv")
        return path

    def plan_report(self, html: str, pictures: Mapping[str, bytes], description: str) -> Path:
        """Write the report on plans, and its figures, which are PNG by name."""
        for name, picture in pictures.items():
            path = self.outputs.plan_figure(name, description)
            path.write_bytes(picture)
            self._log(path, "plots/optimization", f"budget_{snake_case(name)}.png")
        path = self.outputs.plan_page(description)
        path.write_text(html, encoding="utf-8")
        self._log(path, "reports", "budget_report.html")
        return path

    def page(self, html: str, description: str) -> Path:
        """Write a self-contained HTML page."""
        path = self.outputs.page(description)
        path.write_text(html, encoding="utf-8")
        self._log(path, "reports", f"{snake_case(description)}.html")
        return path

    def experiment(self, text: str, description: str) -> Path:
        """Write an experiment file."""
        path = self.outputs.experiment(description)
        path.write_text(text, encoding="utf-8")
        self._log(path, "experiments", f"{snake_case(description)}.yaml")
        return path

    def trace(self, stored: Path, description: str) -> None:
        """Copy a stored trace to `outputs/`."""
        shutil.copyfile(stored, self.outputs.model(description))

    def _log(self, path: Path, folder: str, name: str) -> None:
        with temporary_folder() as staging:
            self.run.log_file(Path(shutil.copyfile(path, staging / name)), folder)
