"""Names and places of files under `outputs/`. Nothing there is ever overwritten."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mmm_demo.settings.names import snake_case


@dataclass(frozen=True)
class Outputs:
    """Where one run's files go; every name ends in the run's first 8 characters.

    Attributes
    ----------
    root
        The project's `outputs/`.
    run_id
        Run that makes the files.
    """

    root: Path
    run_id: str
    today: date = field(default_factory=date.today)

    def model(self, description: str) -> Path:
        """Return the path of a fitted model's trace."""
        return self._new("models", f"mmm_fit_{self.today}_{self._mark(description)}.nc")

    def diagnostics(self, step: str, plot_name: str) -> Path:
        """Return the path of a diagnostic plot."""
        return self._new("plots/diagnostics", f"{snake_case(step)}_{self._mark(plot_name)}.png")

    def contributions(self, channel: str, plot_name: str) -> Path:
        """Return the path of a contribution plot."""
        return self._new(
            "plots/contributions", f"{snake_case(channel)}_{self._mark(plot_name)}.png"
        )

    def table(self, description: str) -> Path:
        """Return the path of a table."""
        return self._new("tables", f"{self._mark(description)}_{self.today}.csv")

    def scenario(self, description: str) -> Path:
        """Return the path of a budget scenario."""
        return self._new("optimization", f"budget_scenario_{self._mark(description)}.csv")

    def plan_figure(self, plot_name: str, description: str) -> Path:
        """Return the path of a plot of a plan."""
        name = f"budget_{snake_case(plot_name)}_{self._mark(description)}.png"
        return self._new("optimization", name)

    def plan_page(self, description: str) -> Path:
        """Return the path of the report on plans."""
        return self._new("optimization", f"budget_report_{self._mark(description)}.html")

    def experiment(self, description: str) -> Path:
        """Return the path of an experiment file."""
        return self._new("experiments", f"{self._mark(description)}.yaml")

    def page(self, description: str) -> Path:
        """Return the path of an HTML page."""
        return self._new("reports", f"{self._mark(description)}.html")

    def _mark(self, description: str) -> str:
        return f"{snake_case(description)}_{self.run_id[:8]}"

    def _new(self, folder: str, name: str) -> Path:
        path = self.root / folder / name
        if path.exists():
            raise FileExistsError(f"{path} exists and is never overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
