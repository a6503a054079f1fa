"""Names and places of files under `outputs/`. Nothing there is ever overwritten."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mmm_demo.settings.names import snake_case

# `mark` is a description and the first characters of the run, `of` what a figure is of.
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
        mark = f"{snake_case(description)}_{self.run_id[:8]}"
        name = PLACES[kind].format(today=self.today, mark=mark, of=snake_case(of))
        path = self.root / name
        if path.exists():
            raise FileExistsError(f"{path} exists and is never overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
