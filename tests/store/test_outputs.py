"""Names of files under outputs/, and that none is ever overwritten."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mmm_demo.settings.names import snake_case
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run

RUN = "1a2b3c4d5e6f47089a0b1c2d3e4f5061"
DAY = date(2026, 3, 9)


def outputs_of(root: Path, run_id: str = RUN, *today: date) -> Publisher:
    return Publisher(Run(MlflowClient("http://nobody"), run_id, "0"), root, *today)


PLACES: list[tuple[Callable[[Publisher], Path], str]] = [
    (lambda out: out.path("model", "Demo"), "models/mmm_fit_2026-03-09_demo_1a2b3c4d.nc"),
    (
        lambda out: out.path("diagnostics", "trace rank", "Convergence"),
        "plots/diagnostics/convergence_trace_rank_1a2b3c4d.png",
    ),
    (
        lambda out: out.path("contributions", "saturation", "Content Marketing"),
        "plots/contributions/content_marketing_saturation_1a2b3c4d.png",
    ),
    (lambda out: out.path("table", "ROAS"), "tables/roas_1a2b3c4d_2026-03-09.csv"),
    (lambda out: out.path("scenario", "Demo"), "optimization/budget_scenario_demo_1a2b3c4d.csv"),
    (
        lambda out: out.path("plan_figure", "Demo", "weekly spend"),
        "optimization/budget_weekly_spend_demo_1a2b3c4d.png",
    ),
    (lambda out: out.path("plan_page", "Demo"), "optimization/budget_report_demo_1a2b3c4d.html"),
    (lambda out: out.path("experiment", "S best"), "experiments/s_best_1a2b3c4d.yaml"),
    (lambda out: out.path("page", "Card v1"), "reports/card_v1_1a2b3c4d.html"),
]
every_place = pytest.mark.parametrize(("make", "name"), PLACES, ids=[name for _, name in PLACES])


@every_place
def test_name_follows_the_convention(
    make: Callable[[Publisher], Path], name: str, tmp_path: Path
) -> None:
    path = make(outputs_of(tmp_path, RUN, DAY))
    assert path == tmp_path / "outputs" / name
    assert path.parent.is_dir() and not path.exists()
    assert re.fullmatch(r"[a-z0-9_.-]+", path.name)


@every_place
def test_existing_file_is_never_overwritten(
    make: Callable[[Publisher], Path], name: str, tmp_path: Path
) -> None:
    outputs = outputs_of(tmp_path, RUN, DAY)
    make(outputs).write_text("mine")
    with pytest.raises(FileExistsError, match="never overwritten"):
        make(outputs)
    assert (tmp_path / "outputs" / name).read_text() == "mine"


@every_place
def test_second_run_of_the_same_day_has_names_of_its_own(
    make: Callable[[Publisher], Path], name: str, tmp_path: Path
) -> None:
    other = "f" * 32
    assert make(outputs_of(tmp_path, RUN, DAY)) != make(outputs_of(tmp_path, other, DAY))


def test_date_is_today_by_default(tmp_path: Path) -> None:
    before = date.today()
    outputs = outputs_of(tmp_path, RUN)
    assert before <= outputs.today <= date.today()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TV", "tv"),
        ("Content Marketing", "content_marketing"),
        (" Affiliates", "affiliates"),
        ("a/../b", "a_b"),
        ("../../etc/passwd", "etc_passwd"),
        ("x1", "x1"),
        ("Paid -- Search (Brand)", "paid_search_brand"),
    ],
)
def test_snake_case(text: str, name: str) -> None:
    assert snake_case(text) == name
