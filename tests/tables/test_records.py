"""Values that no model may see without a word: empty ends, holes, other units, weeks to come."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helpers import PROJECT, make_experiment, refusal, small_model
from lookalike import write_lookalike
from mmm_demo.settings.data import Accepted, DataConfig
from mmm_demo.settings.experiment import ExperimentConfig, to_dict
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment, to_yaml
from mmm_demo.sources.explore import explore
from mmm_demo.sources.market import load_market
from mmm_demo.sources.simulate import CHANNELS, simulate_market
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.records import holes, judge_records, odd_weeks
from shared_data import shared_data

CASES = PROJECT / "tests" / "cases"
WEEKS = 100
DAYS = pd.date_range("2024-01-01", periods=WEEKS, freq="7D", name="week")
TODAY = date(2026, 11, 27)


def market(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "sales": rng.normal(5e5, 4e4, WEEKS),
        "tv": rng.lognormal(10, 0.6, WEEKS) * (rng.random(WEEKS) < 0.8),
        "search": rng.lognormal(9, 0.6, WEEKS),
        "price": rng.normal(20, 1, WEEKS),
    }
    return pd.DataFrame(columns, index=DAYS)


def judged(table: pd.DataFrame, **settings: Any) -> tuple[list[str], list[str]]:
    return judge_records(table, "sales", ["tv", "search"], **settings)


def case(name: str, **data: Any) -> ExperimentConfig:
    """Return a case as its file has it, with the paths of this project."""
    experiment = load_experiment(CASES / f"{name}.yaml")
    paths = {
        key: str(CASES / Path(path).name)
        for key, path in (
            ("path", experiment.data.path),
            ("lift_tests", experiment.data.lift_tests),
        )
        if path and "cases/" in path
    }
    return replace(experiment, data=replace(experiment.data, **paths, **data))


def load(experiment: ExperimentConfig, today: date = TODAY) -> tuple[str, ...]:
    """Return the warnings about a case's data."""
    return load_market(experiment.data, experiment.model, PROJECT, today).warnings


def faults(experiment: ExperimentConfig) -> list[str]:
    with pytest.raises(DataError) as refused:
        load(experiment)
    return str(refused.value).splitlines()[1:]


# --- the ends of a table ------------------------------------------------------------------------


def test_a_template_filled_in_advance_is_refused_by_its_empty_weeks() -> None:
    assert faults(case("prefilled_zeros")) == [
        "- column 'sales': the last 5 weeks (from 2025-05-26) have neither sales nor spend: "
        "drop them"
    ]


def test_empty_weeks_at_the_start_are_refused_too() -> None:
    table = market()
    table.iloc[:3, :3] = 0.0
    assert judged(table) == (
        [
            "column 'sales': the first 3 weeks (until 2024-01-15) have neither sales nor spend: "
            "drop them"
        ],
        [],
    )
    table.iloc[-1, :3] = 0.0
    ((fault,), warnings) = judged(table)
    assert "the first 3 weeks (until 2024-01-15) and the last 1 week (from 2025-11-24)" in fault
    assert not warnings


def test_a_week_without_sales_or_without_spend_is_no_empty_end() -> None:
    table = market()
    table.iloc[-2:, 1:3] = 0.0  # sales without spend: every channel may be dark
    assert judged(table) == ([], [])
    table = market()
    table.iloc[-2:, 0] = 0.0  # spend without sales: not in yet
    found, (warning,) = judged(table)
    assert not found
    assert "2 weeks of almost none (below 5% of the median" in warning
    assert "2025-11-17 to 2025-11-24" in warning
    assert "not in yet? Then drop the last weeks" in warning


def test_an_accepted_end_is_none() -> None:
    table = market()
    table.iloc[-4:, :3] = 0.0
    shut = Accepted("sales", "2025-11-03", "2025-11-24", "closed for the season")
    assert judged(table, accepted=[shut]) == ([], [])


# --- holes: what `explore` knows, the contract knows --------------------------------------------


def with_hole(marked: str | None = None) -> pd.DataFrame:
    table = market()
    table.iloc[40:43, 0] = [12.0, 0.0, 900.0]
    if marked:
        table[marked] = np.isin(np.arange(WEEKS), [40, 41, 42]).astype(float)
    return table


def test_a_hole_in_the_records_is_named_and_the_same_that_explore_finds() -> None:
    found, (warning,) = judged(with_hole())
    assert not found
    for part in (
        "'sales'",
        "3 weeks",
        "2024-10-07 to 2024-10-21",
        "= 12.0",
        "holes in the records",
    ):
        assert part in warning
    experiment = make_experiment(
        model={
            "channel_columns": ["tv", "search"],
            "control_columns": ["price"],
            "date_column": "week",
            "target_column": "sales",
        }
    )
    table = with_hole().reset_index()
    seen = explore(table, experiment.model, "here").outliers
    empty = seen.loc[seen["kind"] == "almost none", "week"]
    assert empty.tolist() == DAYS[holes(table["sales"])].tolist() == list(DAYS[40:43])


def test_a_hole_that_a_control_marks_is_known() -> None:
    assert judged(with_hole(marked="closed")) == ([], [])


def test_many_weeks_of_next_to_no_sales_are_refused_unless_the_model_is_told() -> None:
    table = market()
    table.iloc[40:52, 0] /= 1000
    (fault,), warnings = judged(table)
    assert not warnings
    assert "12 weeks, 2024-10-07 to 2024-12-23, are below 1/50 of the others" in fault
    table["lockdown"] = (np.arange(WEEKS) >= 38) & (np.arange(WEEKS) < 54)
    found, (warning,) = judged(table.astype(float))
    assert not found
    assert "12 weeks of almost none" in warning


@pytest.mark.parametrize("name", ["dt_mart", "dt_mart_long_lag", "dt_mart_three_groups"])
def test_the_hole_of_dt_mart_is_marked_and_passes_without_a_word(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_lookalike(tmp_path_factory.getbasetemp() / "dt_mart")
    monkeypatch.setattr("kagglehub.dataset_download", lambda *_, **__: str(folder))
    experiment = load_experiment(PROJECT / "experiments" / f"{name}.yaml")
    table = load_market(experiment.data, experiment.model, PROJECT, TODAY).table.set_index("Week")
    model = experiment.model
    assert odd_weeks(table, model.target_column, model.channel_columns) == []
    unmarked = table.drop(columns="RecordingHole")
    found = odd_weeks(unmarked, model.target_column, model.channel_columns)
    assert {(item.column, item.fault) for item in found} >= {("Sales", True)}


# --- another unit -------------------------------------------------------------------------------


def test_thousands_for_the_first_weeks_are_refused_and_named() -> None:
    (fault,) = faults(case("mixed_units"))
    for part in (
        "column 'tv': 31 weeks, 2023-01-02 to 2023-10-02, are below 1/50 of the others",
        "1/1,026",
        "row 0 (2023-01-02) = 4.413",
        "another unit, or dots as thousands separators?",
        "data.accept",
        "{column: tv, from: 2023-01-02, until: 2023-10-02, reason: ...}",
    ):
        assert part in fault


def test_dots_as_thousands_separators_are_refused_in_every_column_that_has_them() -> None:
    search, social = faults(case("dots_silent"))
    assert "column 'search': 24 weeks" in search
    assert "row 1 (2023-01-09) = 1.015" in search
    assert "dots as thousands separators (1015 written as 1.015)?" in search
    assert "column 'social': 16 weeks" in social
    assert load(case("dots_right")) == ()


def test_one_odd_week_is_a_warning() -> None:
    table = market()
    table.iloc[30, 2] = 9.1
    found, (warning,) = judged(table)
    assert not found
    assert "column 'search': 1 week, 2024-07-29, is below 1/50 of the others" in warning
    assert "= 9.1" in warning


@pytest.mark.parametrize("column", ["sales", "search"])
def test_a_block_of_fifty_times_the_others_is_refused(column: str) -> None:
    table = market()
    table.loc[DAYS[-20:], column] *= 1000
    (fault,), warnings = judged(table)
    assert not warnings
    assert f"column '{column}': 20 weeks, 2025-07-14 to 2025-11-24, are above 50 times" in fault
    assert "another unit?" in fault


def test_a_campaign_of_a_hundred_times_the_usual_is_looked_at_only() -> None:
    table = market()
    table.loc[DAYS[50:54], "search"] *= 1000
    found, (warning,) = judged(table)
    assert not found
    assert "4 outlier(s)" in warning


def test_a_price_in_cents_for_some_weeks_is_refused_and_events_are_not() -> None:
    table = market()
    table.loc[DAYS[:30], "price"] *= 100
    (fault,), warnings = judged(table)
    assert not warnings
    assert "column 'price': 30 weeks, 2024-01-01 to 2024-07-22, are above 50 times" in fault
    known = Accepted("price", "2024-01-01", "2024-07-22", "another product")
    assert judged(table, accepted=[known]) == ([], [])
    table["price"] = np.where(np.arange(WEEKS) % 9 == 0, np.arange(WEEKS) * 100.0, 0.0)
    table["trend"] = np.arange(1.0, WEEKS + 1)
    assert judged(table) == ([], [])


@pytest.mark.parametrize("seed", range(30))
def test_ordinary_markets_pass_without_a_word(seed: int) -> None:
    assert judged(market(seed), today=TODAY) == ([], [])
    table = simulate_market(seed).table.set_index("Week")
    assert judge_records(table, "Sales", CHANNELS, today=None) == ([], [])


@pytest.mark.parametrize("seed", range(30))
def test_spend_that_comes_in_bursts_is_no_fault(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = market(seed)
    table["tv"] = rng.lognormal(10, 1.2, WEEKS)
    flight = np.isin(np.arange(WEEKS) // 5, rng.choice(20, 3, replace=False))
    table["search"] *= np.where(flight, 100.0, 1.0)  # low always, and rare flights
    assert judged(table)[0] == []


@pytest.mark.parametrize(
    ("file", "week"), [("mmm_example.csv", "date_week"), ("mmm_roas_data.csv", "date")]
)
def test_the_data_sets_of_pymc_marketing_pass_without_a_word(file: str, week: str) -> None:
    path = shared_data(f"pymc_marketing/{file}")
    table = pd.read_csv(path, parse_dates=[week]).set_index(week)
    given = table[["y", "x1", "x2"]].astype(float)
    assert judge_records(given, "y", ["x1", "x2"], today=TODAY) == ([], [])


def test_the_template_passes_without_a_word() -> None:
    assert load(load_experiment(PROJECT / "experiments" / "your_data.yaml")) == ()


# --- weeks to come ------------------------------------------------------------------------------


def test_weeks_after_today_are_a_warning() -> None:
    (warning,) = load(case("future"))
    assert warning == (
        "column 'week': 56 weeks after today, 2026-11-27: 2026-11-30 to 2027-12-20; sales to come "
        "are not known: drop forecasts, or correct the year"
    )
    assert load(case("future"), date(2027, 12, 20)) == ()


def test_weeks_to_come_without_sales_are_a_plan_and_no_data() -> None:
    table = market()
    table.iloc[-4:, 0] = 0.0
    (fault,), _ = judged(table, today=date(2025, 11, 1))
    assert "4 weeks after today, 2025-11-01: 2025-11-03 to 2025-11-24, without sales" in fault


def test_empty_weeks_to_come_are_one_fault() -> None:
    table = market()
    table.iloc[-4:, :3] = 0.0
    (fault,), warnings = judged(table, today=date(2025, 11, 1))
    assert "the last 4 weeks (from 2025-11-03) have neither sales nor spend" in fault
    assert not warnings


def test_a_simulated_market_has_no_today() -> None:
    experiment = make_experiment()
    assert load_market(DataConfig(), experiment.model, PROJECT, date(2001, 1, 1)).warnings == ()


# --- accepted with a reason ---------------------------------------------------------------------

BLOCK = {"column": "tv", "from": "2023-01-02", "until": "2023-10-02", "reason": "test phase"}


def accepted(**changes: Any) -> ExperimentConfig:
    plain = to_dict(case("mixed_units"))
    plain["data"]["accept"] = [BLOCK | changes]
    return from_dict(plain, "accepting")


def test_accepted_weeks_pass() -> None:
    assert load(accepted()) == ()


def test_what_is_left_of_a_block_is_judged_by_itself() -> None:
    (fault,) = faults(accepted(until="2023-08-28"))
    assert "4 weeks, 2023-09-04 to 2023-10-02" in fault or "5 weeks, 2023-09-04" in fault
    (warning,) = load(accepted(until="2023-09-25"))
    assert "1 week, 2023-10-02, is below 1/50 of the others" in warning


def test_an_entry_that_matches_nothing_is_refused() -> None:
    (fault,) = faults(
        replace(
            case("dots_right"),
            data=replace(
                case("dots_right").data,
                accept=(Accepted("search", "2023-01-02", "2023-02-06", "test phase"),),
            ),
        )
    )
    assert "data.accept, search 2023-01-02 to 2023-02-06: test phase: no week of it" in fault
    missed, block = sorted(faults(accepted(**{"from": "2024-01-01", "until": "2024-06-03"})))
    assert "31 weeks" in missed
    assert "no week of it is unlike the others of 'tv'" in block


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": ""}, "entry 1: reason must be text that says something, got ''"),
        ({"reason": "  "}, "reason must be text that says something"),
        ({"reason": None}, "reason must be text that says something, got None"),
        ({"from": "last May"}, "entry 1: from must be a day such as 2026-01-05, got 'last May'"),
        ({"until": "2022-01-03"}, "until 2022-01-03 comes before from 2023-01-02"),
        ({"since": "2022-01-03"}, "entry 1 takes column, from, until, reason; unknown since"),
        ({"column": "telly"}, "data.accept names telly; columns are Sales, TV, Radio, Trend"),
        ({"column": "Week"}, "data.accept names Week"),
    ],
)
def test_an_entry_that_says_nothing_is_refused(changes: dict[str, Any], told: str) -> None:
    entry = BLOCK | {"column": "TV"} | changes
    assert told in refusal(model=small_model(), data={"accept": [entry]})


def test_an_entry_is_read_whole() -> None:
    told = refusal(data={"accept": [{"column": "TV", "from": "2023-01-02"}]})
    assert "entry 1 takes column, from, until, reason; missing until, reason" in told
    assert "must be a list" in refusal(data={"accept": {"column": "TV"}})


def test_an_entry_is_written_logged_and_fingerprinted_where_there_is_one() -> None:
    plain = case("mixed_units")
    assert "accept" not in to_dict(plain)["data"]
    experiment = accepted(**{"from": date(2023, 1, 2)})  # YAML makes a date of it
    assert to_dict(experiment)["data"]["accept"] == [BLOCK]
    assert experiment.fingerprint != plain.fingerprint
    assert accepted(reason="another").fingerprint != experiment.fingerprint
    assert "from: '2023-01-02'" in to_yaml(experiment)
    assert from_dict(to_dict(experiment), "again") == experiment
    assert flat_params(experiment)["data.accept.1"] == ("tv 2023-01-02 to 2023-10-02: test phase")
    assert not [name for name in flat_params(plain) if "data.accept" in name]
