"""Table files that are refused, and what is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers import PROJECT
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import MarketingData, load_market
from mmm_demo.tables.faults import DataError

CASES = PROJECT / "tests" / "cases"


def load(name: str, folder: Path = CASES, **data: Any) -> MarketingData:
    """Load a case, with some of its data settings replaced."""
    experiment = load_experiment(CASES / f"{name}.yaml")
    path = Path(str(experiment.data.path)).name
    settings = replace(experiment.data, **{"path": path} | data)
    return load_market(settings, experiment.model, folder)


def refusal(name: str, folder: Path = CASES, **data: Any) -> str:
    with pytest.raises(DataError) as refused:
        load(name, folder, **data)
    return str(refused.value)
