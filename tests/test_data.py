"""Where a weekly table comes from: simulated, CSV, DT Mart from a fake Kaggle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import contents, plain_experiment
from lookalike import write_lookalike
from mmm_demo.settings.experiment import DataConfig, ExperimentConfig, ModelConfig
from mmm_demo.settings.experiment_file import from_dict, load_experiment
from mmm_demo.sources.market import known_truth, load_data, load_market, read_csv
from mmm_demo.sources.simulate import CHANNELS, CONTROLS, simulate_market
from mmm_demo.tables.faults import DataError
from refused_files import CASES, load, refusal

MODEL = ModelConfig(channel_columns=CHANNELS, control_columns=CONTROLS)


# --- simulated and CSV --------------------------------------------------------------------------


def test_simulated_market_is_loaded_whole(tmp_path: Path) -> None:
    loaded = load_market(DataConfig(seed=3, weeks=120), MODEL, tmp_path)
    pd.testing.assert_frame_equal(
        loaded.table, simulate_market(3, 120).table, check_dtype=False, check_exact=True
    )
    assert loaded.source == "simulated market, seed 3"
    assert loaded.span == "2023-01-02 to 2025-04-14, 120 weeks"
    assert not list(tmp_path.iterdir())


def test_truth_is_known_for_simulated_markets_only() -> None:
    truth = known_truth(DataConfig(seed=3, weeks=120))
    assert truth is not None
    pd.testing.assert_series_equal(truth.roas, simulate_market(3, 120).truth.roas)
    assert known_truth(DataConfig(source="csv", path="a.csv")) is None
    assert known_truth(DataConfig(source="kaggle")) is None


def csv_experiment(**data: object) -> ExperimentConfig:
    model = {"channel_columns": list(CHANNELS), "control_columns": list(CONTROLS)}
    source = {"source": "csv", "path": "data/weekly.csv"} | data
    return from_dict(plain_experiment(model=model, data=source), "test")


@pytest.fixture
def weekly_csv(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "weekly.csv"
    path.parent.mkdir()
    simulate_market(2).table.assign(Note="unused").to_csv(path, index=False)
    return path


def test_csv_gives_the_same_table_and_is_left_alone(tmp_path: Path, weekly_csv: Path) -> None:
    before = contents(tmp_path)
    experiment = csv_experiment()
    loaded = load_market(experiment.data, experiment.model, tmp_path)
    pd.testing.assert_frame_equal(
        loaded.table, simulate_market(2).table, check_dtype=False, check_exact=True
    )
    assert loaded.source == "data/weekly.csv"
    assert contents(tmp_path) == before


def test_csv_is_held_against_the_contract(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table
    table.loc[5, "TV"] = -1.0
    table.to_csv(weekly_csv, index=False)
    experiment = csv_experiment()
    with pytest.raises(DataError) as refused:
        load_market(experiment.data, experiment.model, tmp_path)
    text = str(refused.value)
    assert all(word in text for word in ("data/weekly.csv", "'TV'", "2023-02-06", "-1")), text


def test_lag_of_the_model_reaches_the_contract(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table[:40]
    table.assign(Promotion=np.arange(40) % 2).to_csv(weekly_csv, index=False)
    experiment = csv_experiment()
    assert len(load_market(experiment.data, experiment.model, tmp_path).table) == 40
    longer = ModelConfig(channel_columns=CHANNELS, control_columns=CONTROLS, adstock_max_lag=13)
    with pytest.raises(DataError, match="40 week"):
        load_market(experiment.data, longer, tmp_path)


def test_missing_spend_is_a_fault_unless_it_is_declared_zero(
    tmp_path: Path, weekly_csv: Path
) -> None:
    table = simulate_market(2).table
    table.loc[5, "TV"] = np.nan
    table.to_csv(weekly_csv, index=False)
    refusing, declared = csv_experiment(), csv_experiment(missing_spend="zero")
    with pytest.raises(DataError, match="missing_spend: zero"):
        load_market(refusing.data, refusing.model, tmp_path)
    loaded = load_market(declared.data, declared.model, tmp_path)
    assert loaded.table.loc[5, "TV"] == 0.0
    assert any("'TV'" in warning for warning in loaded.warnings)


def test_missing_csv_says_where_it_was_looked_for(tmp_path: Path) -> None:
    experiment = csv_experiment()
    with pytest.raises(FileNotFoundError) as missing:
        load_market(experiment.data, experiment.model, tmp_path)
    assert str(tmp_path / "data" / "weekly.csv") in str(missing.value)
    assert "data.path" in str(missing.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00\x01", b'a,b\n1,2\n1,2,3,4\n"', b"a,b\n1,2\n1,2,3,4\n"]
)
def test_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weekly.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weekly\.csv is not a readable CSV file"):
        read_csv(path)


def test_folder_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no data file"):
        read_csv(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "format_"),
    [
        ("us_dates", "'01/02/2023' as 2023-01-02", "%m/%d/%Y"),
        ("german_dates", "'02.01.2023' as 2023-01-02", "%d.%m.%Y"),
        ("iso_week", "'2023-W01' as 2023-01-02", "%G-W%V-%u"),
        ("no_zeros", "'2023-1-2' as 2023-01-02", "%Y-%m-%d"),
    ],
)
def test_dates_of_a_table_get_the_format_of_the_value_shown(
    name: str, value: str, format_: str
) -> None:
    text = refusal(name)
    assert "1 fault(s)" in text and value in text and f"format={format_!r}" in text
    assert "%d/%m/%Y" not in text


def test_weeks_without_sales_yet_are_to_be_dropped() -> None:
    text = refusal("sales_pending")
    weeks = "2024-12-09, 2024-12-16, 2024-12-23"
    assert "1 fault(s)" in text and "fill it" not in text
    assert f"the last 3 weeks have no sales yet: drop them ({weeks})" in text


def test_a_season_that_was_seen_once_is_warned_about() -> None:
    (warning,) = load("weeks52").warnings
    assert warning.startswith("two yearly modes from one year of weeks: 52 weeks")
    assert "model.yearly_seasonality: 0, or bring 52 more" in warning
    experiment = load_experiment(CASES / "weeks52.yaml")
    plain = ModelConfig(experiment.model.channel_columns, ("price",), "week", "sales", 8, 0)
    data = DataConfig(source="csv", path="weeks52.csv")
    assert load_market(data, plain, CASES).warnings == ()
    assert load("decimal_comma_advice").warnings == ()  # 130 weeks


# --- groups and trend ---------------------------------------------------------------------------

DIGITAL = {"Digital": ("Search", "Social")}
GROUPED = ModelConfig(channel_columns=("TV", "Radio", "Digital"), control_columns=CONTROLS)


def test_groups_take_the_place_of_their_members(tmp_path: Path, weekly_csv: Path) -> None:
    single = simulate_market(2).table
    csv = DataConfig(source="csv", path="data/weekly.csv", groups=DIGITAL)
    for data in (csv, DataConfig(seed=2, groups=DIGITAL)):
        table = load_market(data, GROUPED, tmp_path).table
        assert list(table) == ["Week", "Sales", "TV", "Radio", "Digital", *CONTROLS]
        assert table["Digital"].to_numpy() == pytest.approx(single["Search"] + single["Social"])
        assert (table["TV"] == single["TV"]).all()


def test_cell_of_a_member_that_is_no_spend_is_named(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table
    table.loc[5, "Social"] = -1.0  # the sum alone would hide it
    table.to_csv(weekly_csv, index=False)
    data = DataConfig(source="csv", path="data/weekly.csv", groups=DIGITAL)
    with pytest.raises(DataError) as refused:
        load_market(data, GROUPED, tmp_path)
    place = "data/weekly.csv (Digital = Search + Social)"
    text = str(refused.value)
    assert all(word in text for word in (place, "'Digital'", "2023-02-06", "= -1.0")), text


def test_empty_cell_of_a_member_takes_no_money_away(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table
    spend = table.loc[5, "Search"] = 12_345.0
    table.loc[5, "Social"] = np.nan
    table.to_csv(weekly_csv, index=False)
    data = {"source": "csv", "path": "data/weekly.csv", "groups": DIGITAL}
    with pytest.raises(DataError, match="missing_spend: zero"):
        load_market(DataConfig(**data), GROUPED, tmp_path)
    loaded = load_market(DataConfig(**data, missing_spend="zero"), GROUPED, tmp_path)
    assert loaded.table.loc[5, "Digital"] == spend
    assert "column 'Social': 1 empty cell(s) read as 0 spend" in loaded.warnings


def test_lift_test_of_a_member_is_refused(tmp_path: Path) -> None:
    tests = pd.DataFrame([LIFT | {"channel": "Search"}])
    tests.to_csv(tmp_path / "lift.csv", index=False)
    with pytest.raises(DataError, match="row 1: 'Search': part of a channel"):
        load_market(DataConfig(groups=DIGITAL, lift_tests="lift.csv"), GROUPED, tmp_path)


def test_truth_of_a_group_is_that_of_its_members_together() -> None:
    single, truth = known_truth(DataConfig(seed=3)), known_truth(DataConfig(seed=3, groups=DIGITAL))
    assert single is not None and truth is not None
    table, members = simulate_market(3).table, [*DIGITAL["Digital"]]
    assert list(truth.roas.index) == list(truth.contributions) == ["TV", "Radio", "Digital"]
    brought = (single.roas * table[[*CHANNELS]].sum())[members].sum()
    assert truth.roas["Digital"] == pytest.approx(brought / table[members].sum().sum())
    assert single.roas[members].min() < truth.roas["Digital"] < single.roas[members].max()
    assert truth.share["Digital"] == pytest.approx(single.share[members].sum())
    weekly = single.contributions[members].sum(axis=1)
    assert truth.contributions["Digital"].to_numpy() == pytest.approx(weekly.to_numpy())
    total, known = truth.contributions.to_numpy().sum(), single.contributions.to_numpy().sum()
    assert total == pytest.approx(known)
    for rates, old in (
        (truth.adstock_alpha, single.adstock_alpha),
        (truth.saturation_lam, single.saturation_lam),
    ):  # no rate of a sum
        assert np.isnan(rates["Digital"]) and (rates[["TV", "Radio"]] == old.iloc[:2]).all()
    assert truth.roas[["TV", "Radio"]].to_numpy() == pytest.approx(single.roas.to_numpy()[:2])


def test_truth_of_a_group_with_something_else_in_it_is_not_known() -> None:
    assert known_truth(DataConfig(groups={"Push": ("Social", "Promotion")})) is None


def test_a_trend_counts_the_weeks(tmp_path: Path, weekly_csv: Path) -> None:
    table = simulate_market(2).table
    model = ModelConfig(channel_columns=CHANNELS, control_columns=("Trend",))
    data = DataConfig(source="csv", path="data/weekly.csv", trend="linear")
    with pytest.raises(DataError, match=r"weekly\.csv: .*'Trend', which the table has already"):
        load_market(data, model, tmp_path)
    table.drop(columns="Trend").to_csv(weekly_csv, index=False)
    loaded = load_market(data, model, tmp_path).table
    assert loaded["Trend"].tolist() == list(range(len(table)))


# --- lift tests ---------------------------------------------------------------------------------

LIFT = {
    "channel": "TV",
    "x": 4e4,
    "delta_x": -4e4,
    "delta_y": -3e4,
    "sigma": 1e4,
    "date": "2023-06-05",
}


def test_lift_tests_named_in_the_config_are_loaded(tmp_path: Path) -> None:
    pd.DataFrame([LIFT, LIFT | {"delta_y": 3e4}]).to_csv(tmp_path / "lift.csv", index=False)
    loaded = load_market(DataConfig(lift_tests="lift.csv"), MODEL, tmp_path)
    assert loaded.lift_tests is not None
    assert loaded.lift_tests["delta_y"].tolist() == [-3e4, 3e4]
    assert any("row 2: TV" in text and "unexpected" in text for text in loaded.warnings)
    assert load_market(DataConfig(), MODEL, tmp_path).lift_tests is None


def test_lift_tests_at_fault_are_refused(tmp_path: Path) -> None:
    pd.DataFrame([LIFT | {"date": "2020-01-06"}]).to_csv(tmp_path / "lift.csv", index=False)
    with pytest.raises(DataError, match=r"lift\.csv.*\n.*'2020-01-06': outside the data"):
        load_market(DataConfig(lift_tests="lift.csv"), MODEL, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"other\.csv.*data\.lift_tests"):
        load_market(DataConfig(lift_tests="other.csv"), MODEL, tmp_path)


def test_lift_tests_go_with_every_source() -> None:
    for source in ({"source": "csv", "path": "a.csv"}, {"source": "kaggle"}, {}):
        assert DataConfig(**source, lift_tests="lift.csv").lift_tests == "lift.csv"
    with pytest.raises(ValueError, match="lift_tests"):
        DataConfig(lift_tests="")


# --- DT Mart ------------------------------------------------------------------------------------

GROUPS = ("TV", "Sponsorship", "Digital", "Online")
DT_MART_MODEL = ModelConfig(
    channel_columns=GROUPS, control_columns=("SaleDays", "RecordingHole"), adstock_max_lag=4
)


@pytest.fixture(scope="module")
def kaggle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Kaggle would send: a folder with the seven files, the large ones small."""
    return write_lookalike(tmp_path_factory.mktemp("kaggle") / "files", rows=20_000)


def test_kaggle_source_becomes_a_weekly_table(
    tmp_path: Path, kaggle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kagglehub.dataset_download", lambda *_, **__: str(kaggle_folder))
    loaded = load_market(DataConfig(source="kaggle"), DT_MART_MODEL, tmp_path)
    assert loaded.label == loaded.source == "DT Mart look-alike"
    assert list(loaded.table.columns) == ["Week", "Sales", *GROUPS, "SaleDays", "RecordingHole"]
    assert loaded.span == "2015-07-06 to 2016-06-20, 51 weeks"
    assert any("recording hole" in warning for warning in loaded.warnings)
    assert loaded.report is not None and len(loaded.report) > 5
    assert contents(tmp_path / "data" / "dt_mart").keys() == contents(kaggle_folder).keys()


def test_load_data_returns_the_newest_table(
    project: Path, kaggle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kagglehub.dataset_download", lambda *_, **__: str(kaggle_folder))
    table = load_data()
    assert table["Week"].dt.day_of_week.eq(0).all()
    assert set(GROUPS) < set(table.columns)
    pd.testing.assert_frame_equal(load_data(force_download=True), table)
    assert len(list((project / "data").glob("dt_mart*"))) == 2
