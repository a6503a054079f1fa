"""Lift tests: what is refused, what is noted, and what a fit makes of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from helpers import PROJECT
from mmm_demo.evidence import refit
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.ladder import Attempt
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.fits.sampler import sample_posterior
from mmm_demo.fits.trace import load_trace, save_trace
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig, free_parameters
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.sources.market import load_market
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.lift import (
    COLUMNS,
    known_in,
    lift_sha256,
    read_lift_tests,
    unexpected_sign,
    validate_lift_tests,
)

MODEL = ModelConfig(channel_columns=("TV", "Radio"), yearly_seasonality=0, adstock_max_lag=2)
WEEKS = pd.DataFrame(
    {
        "Week": pd.date_range("2024-01-01", periods=60, freq="7D"),
        "Sales": 1e6 + 2e5 * np.sin(np.arange(60) / 4),
        "TV": np.linspace(1e4, 5e4, 60),
        "Radio": np.tile([2e3, 0.0, 8e3, 4e3], 15),
    }
)
ROWS = [
    ("TV", 2e4, 1e4, 3e4, 1e4, "2024-03-04"),
    ("TV", 3e4, -3e4, -6e4, 1.5e4, "2024-06-03"),
    ("Radio", 4e3, 4e3, 2e4, 1e4, "2025-02-17"),
]


def good_tests(**columns: object) -> pd.DataFrame:
    """Return raw tests without a fault, with the first row's values in some columns replaced."""
    table = pd.DataFrame(ROWS, columns=list(COLUMNS)).astype(object)
    for name, value in columns.items():
        table.loc[0, name] = value
    return table


def clean_tests(**columns: object) -> pd.DataFrame:
    return validate_lift_tests(good_tests(**columns), MODEL, WEEKS, "tests")[0]


# --- what is refused ----------------------------------------------------------------------------


def told(**columns: object) -> tuple[str, ...]:
    return validate_lift_tests(good_tests(**columns), MODEL, WEEKS, "tests.csv")[1]


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        (
            {"delta_x": 0.2, "delta_y": 0.02, "sigma": 0.005},
            (
                "a change of 0.2 is 1e-05 of the spend of 20,000.2",
                "a lift of 0.02 +- 0.005 a week is 0.0% of weekly sales (",
            ),
        ),
        (
            {"x": 4e4, "delta_x": 1e4, "delta_y": 2e5, "sigma": 5e4},
            ("a lift of 200,000 a week from spend of 10,000 is a ROAS of 20; at that rate 50,000",),
        ),
        (
            {"x": 4e4, "delta_x": -2e4, "delta_y": -4e5, "sigma": 5e4},
            ("a lift of 400,000 a week from spend of 20,000 is a ROAS of 20; at that rate 40,000",),
        ),
        ({"x": 1.6e5}, ("spend of 170,000 in the test is 5.7 times the median week",)),
        ({"x": 100.0, "delta_x": 200.0}, ("spend of 300 in the test is 0.01 times the median",)),
    ],
    ids=["shares", "sales of all weeks", "sales of all weeks, less", "spend of all weeks", "x1000"],
)
def test_numbers_in_another_unit_are_named_with_what_they_would_mean(
    columns: dict[str, object], parts: tuple[str, ...]
) -> None:
    warnings = told(**columns)
    assert len(warnings) == len(parts)
    for warning, part in zip(warnings, parts, strict=True):
        assert warning.startswith("tests.csv, row 1: TV: ")
        assert part in warning


@pytest.mark.parametrize(
    "columns",
    [
        {"delta_y": 0.0, "sigma": 1e4},  # a test that found nothing
        {"delta_y": 50.0, "sigma": 2e3},
        {"x": 0.0, "delta_x": 6e4},  # a start from nothing
        {"x": 5e4, "delta_x": -5e4, "delta_y": -3e5, "sigma": 5e4},  # a channel that went dark
        {"x": 2e4, "delta_x": 500.0, "delta_y": 2e3, "sigma": 1e3},
    ],
)
def test_tests_of_any_honest_size_pass_without_a_word(columns: dict[str, object]) -> None:
    assert told(**columns) == ()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("lift_pct", "a lift of 0.02 +- 0.005 a week is 0.0% of weekly sales (873,050)"),
        ("lift_total", "from spend of 20,000 is a ROAS of 13; at that rate 60,000 a week would"),
    ],
)
def test_lift_tests_as_people_have_them_are_told_of(name: str, part: str) -> None:
    experiment = load_experiment(PROJECT / "tests" / "cases" / f"{name}.yaml")
    path = str(PROJECT / "tests" / "cases" / f"{name}_tests.csv")
    data = replace(experiment.data, lift_tests=path)
    assert part in load_market(data, experiment.model, PROJECT).warnings[-1]


def test_good_tests_come_out_clean_and_in_order() -> None:
    table, warnings = validate_lift_tests(good_tests(), MODEL, WEEKS, "tests")
    assert warnings == ()
    assert list(table.columns) == list(COLUMNS)
    assert list(table["channel"]) == ["TV", "TV", "Radio"]
    assert table["delta_x"].tolist() == [1e4, -3e4, 4e3]
    assert table["date"].tolist() == [pd.Timestamp(row[-1]) for row in ROWS]
    assert [str(kind) for kind in table.dtypes[1:]] == ["float64"] * 4 + ["datetime64[ns]"]


FAULTS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "unknown channel": ({"channel": "tv"}, ("channel, row 1: 'tv'", "TV, Radio")),
    "empty number": ({"delta_y": ""}, ("delta_y, row 1: ''", "no finite number")),
    "missing number": ({"x": None}, ("x, row 1: None", "no finite number")),
    "infinite spend": ({"x": np.inf}, ("x, row 1: inf", "no finite number")),
    "infinite": ({"sigma": "inf"}, ("sigma, row 1: 'inf'", "no finite number")),
    "not a number": ({"delta_x": "1,000"}, ("delta_x, row 1: '1,000'", "no finite number")),
    "true": ({"x": True}, ("x, row 1: True", "no finite number")),
    "sigma zero": ({"sigma": 0}, ("sigma, row 1: 0", "must be positive")),
    "sigma negative": ({"sigma": -1e4}, ("sigma, row 1: -10000.0", "must be positive")),
    "no change": ({"delta_x": 0}, ("delta_x, row 1: 0", "measures nothing")),
    "negative spend": ({"x": -1.0}, ("x, row 1: -1.0", "cannot be negative")),
    "more than all": ({"delta_x": -2.1e4}, ("delta_x, row 1: -21000.0", "more than the whole")),
    "before the data": ({"date": "2023-12-31"}, ("'2023-12-31'", "2024-01-01 to 2025-02-23")),
    "after the data": ({"date": "2025-02-24"}, ("'2025-02-24'", "outside the data")),
    "not ISO": ({"date": "04/03/2024"}, ("'04/03/2024'", "YYYY-MM-DD")),
    "no such day": ({"date": "2024-02-30"}, ("'2024-02-30'", "YYYY-MM-DD")),
    "no date": ({"date": None}, ("date, row 1: None", "YYYY-MM-DD")),
    "spend in cents": ({"x": 2e6}, ("x, row 1: 2000000.0", "largest weekly spend (TV 50000")),
    "change in cents": ({"delta_x": 1e6}, ("x, row 1", "in the unit of the data")),
    "spend in thousands": ({"x": 20, "delta_x": 10}, ("x, row 1: 20", "in the unit of the data")),
    "sales in cents": ({"delta_y": -3e6}, ("delta_y, row 1", "best week's sales")),
    "sigma in cents": ({"sigma": 2e6}, ("sigma, row 1", "best week's sales")),
    "twice": (dict(zip(COLUMNS, ROWS[1], strict=True)), ("channel, row 2: 'TV'", "count twice")),
}


def test_a_lift_of_a_part_is_no_lift_of_the_whole():
    raw = good_tests(channel="Search")
    with pytest.raises(DataError, match=r"row 1: 'Search': part of a channel \(data\.groups\)"):
        validate_lift_tests(raw, MODEL, WEEKS, "tests", ("Search", "Social"))
    with pytest.raises(DataError, match="row 1: 'Search': no channel of the model"):
        validate_lift_tests(raw, MODEL, WEEKS, "tests")
    validate_lift_tests(good_tests(), MODEL, WEEKS, "tests", ("Search", "Social"))


@pytest.mark.parametrize(("values", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_refused_with_row_value_and_next_step(
    values: dict[str, object], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as refused:
        validate_lift_tests(good_tests(**values), MODEL, WEEKS, "tests.csv")
    text = str(refused.value)
    assert text.startswith("tests.csv holds lift tests that cannot be used:")
    assert all(word in text for word in words), text
    assert text.count("\n") == 1, text
    assert "np." not in text


def test_all_faults_are_told_at_once() -> None:
    raw = good_tests(channel="Print", sigma="nan")
    raw.loc[2, ["sigma", "date"]] = ["none", "soon"]
    with pytest.raises(DataError) as refused:
        validate_lift_tests(raw, MODEL, WEEKS, "tests")
    text = str(refused.value)
    assert "sigma, row 1: 'nan', row 3: 'none'" in text
    assert "'Print'" in text and "'soon'" in text
    assert text.count("\n") == 3, text


SHAPES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "missing": (lambda t: t.drop(columns=["sigma", "date"]), "columns missing sigma, date"),
    "extra": (lambda t: t.assign(geo="north"), "columns unknown geo"),
    "both": (lambda t: t.rename(columns={"x": "X"}), "missing x; unknown X"),
    "repeated": (lambda t: pd.concat([t, t[["x"]]], axis=1), "columns repeated x"),
    "empty": (lambda t: t.head(0), "holds no lift test"),
}


@pytest.mark.parametrize(("change", "words"), SHAPES.values(), ids=SHAPES.keys())
def test_a_table_of_another_form_is_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        validate_lift_tests(change(good_tests()), MODEL, WEEKS, "tests")


def test_every_day_of_the_last_week_is_inside_the_data() -> None:
    assert clean_tests(date="2025-02-23")["date"][0] == pd.Timestamp("2025-02-23")


# --- what is noted ------------------------------------------------------------------------------


@pytest.mark.parametrize(("delta_x", "delta_y"), [(1e4, -3e4), (-1e4, 3e4)])
def test_an_unexpected_sign_is_kept_and_noted(delta_x: float, delta_y: float) -> None:
    raw = good_tests(delta_x=delta_x, delta_y=delta_y)
    table, (warning,) = validate_lift_tests(raw, MODEL, WEEKS, "tests")
    assert table["delta_y"][0] == delta_y and len(table) == 3
    assert unexpected_sign(table).tolist() == [True, False, False]
    assert "tests, row 1: TV" in warning and "unexpected direction" in warning


def test_a_standard_error_that_looks_like_a_share_is_noted() -> None:
    _, (warning,) = validate_lift_tests(good_tests(sigma=0.1), MODEL, WEEKS, "tests")
    assert "row 1: sigma 0.1 is below 1% of delta_y 30000" in warning


# --- files --------------------------------------------------------------------------------------


def test_a_file_gives_the_same_tests(tmp_path: Path) -> None:
    path = tmp_path / "lift.csv"
    good_tests().to_csv(path, index=False)
    table, _ = read_lift_tests(path, MODEL, WEEKS)
    pd.testing.assert_frame_equal(table, clean_tests())


def test_a_file_is_judged_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "lift.csv"
    good_tests(sigma="NA", x="1e4 EUR").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"x, row 1: '1e4 EUR'[^$]*sigma, row 1: 'NA'"):
        read_lift_tests(path, MODEL, WEEKS)


def test_a_file_may_be_written_as_spreadsheets_of_many_countries_do(tmp_path: Path) -> None:
    path = tmp_path / "lift.csv"
    good_tests().to_csv(path, index=False, sep=";")
    pd.testing.assert_frame_equal(read_lift_tests(path, MODEL, WEEKS)[0], clean_tests())
    half = good_tests(delta_x=10000.5)
    path.write_text(half.to_csv(index=False, sep=";").replace("10000.5", "10000,5"))
    table, _ = read_lift_tests(path, MODEL, WEEKS, decimal=",")
    assert table["delta_x"].tolist() == half["delta_x"].tolist()
    with pytest.raises(
        DataError, match=r"delta_x, row 1: '10000,5': .*decimal comma: write 10000.5"
    ):
        read_lift_tests(path, MODEL, WEEKS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"x": "$20,000.00"},
            "x, row 1: '$20,000.00': no finite number; a sign of money: write 20000.00",
        ),
        ({"delta_y": "20%"}, "a percentage: give the amount itself"),
        ({"date": "04/03/2024"}, "'04/03/2024' is ambiguous"),
        ({"date": "04.13.2024"}, "write '04.13.2024' as 2024-04-13"),
    ],
)
def test_the_step_fits_the_cell(change: dict[str, str], words: str) -> None:
    with pytest.raises(DataError) as refused:
        validate_lift_tests(good_tests(**change), MODEL, WEEKS, "lift.csv")
    assert words in str(refused.value) and "table[" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no lift tests at .*lift\.csv.*data\.lift_tests"):
        read_lift_tests(tmp_path / "lift.csv", MODEL, WEEKS)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b'a,b\n1,2\n1,2,3,4\n"'])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lift.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"lift\.csv is not a readable CSV file"):
        read_lift_tests(path, MODEL, WEEKS)


# --- identity, and what is known when -----------------------------------------------------------


def test_the_identity_is_that_of_the_rows_in_any_order() -> None:
    tests = clean_tests()
    assert lift_sha256(tests.iloc[::-1]) == lift_sha256(tests)
    assert len(lift_sha256(tests)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "Radio", "x": 2e3, "delta_x": 1e3},
        {"x": np.nextafter(2e4, 3e4)},
        {"delta_x": 1.1e4},
        {"delta_y": -3e4},
        {"sigma": 1.1e4},
        {"date": "2024-03-05"},
    ],
)
def test_the_identity_changes_with_every_value(change: dict[str, object]) -> None:
    assert lift_sha256(clean_tests(**change)) != lift_sha256(clean_tests())


def test_a_test_is_known_once_its_week_is_in_the_data() -> None:
    tests = clean_tests()
    until = {day: known_in(tests, pd.Series(pd.to_datetime([day]))) for day in
             ("2024-02-19", "2024-03-04", "2024-05-27", "2025-02-17")}  # fmt: skip
    assert until["2024-02-19"] is None
    assert [len(known) for known in list(until.values())[1:]] == [1, 1, 3]


@pytest.mark.parametrize(("weeks", "known"), [(60, 3), (30, 2), (10, 1), (5, None)])
def test_a_refit_learns_from_no_test_after_its_weeks(
    weeks: int, known: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Built(Exception):
        """Raised in place of a fit."""

    def build(
        config: ModelConfig, table: pd.DataFrame, tests: pd.DataFrame | None, longest_lag: int
    ) -> None:
        raise Built(None if tests is None else len(tests))

    monkeypatch.setattr("mmm_demo.fits.sampler.build_model", build)
    refitter = refit.Refitter(MODEL, WEEKS, EvidenceConfig())
    with pytest.raises(Built) as built:
        refitter.fit(WEEKS.head(weeks), seed=1, lift_tests=clean_tests())
    assert built.value.args == (known,)
    with pytest.raises(Built) as built:
        refitter.fit(WEEKS.head(weeks), seed=1)
    assert built.value.args == (None,)


# --- against the model --------------------------------------------------------------------------


@pytest.mark.parametrize("saturation", ["logistic", "michaelis_menten", "s_shaped"])
def test_the_comparison_is_the_difference_of_steady_responses(saturation: str) -> None:
    response = drawn_model().response
    response = replace(response, config=replace(response.config, saturation=saturation))
    top = response.training[["TV", "Radio"]].max()
    raw = pd.DataFrame(
        [
            ("Radio", 0.2 * top["Radio"], 0.5 * top["Radio"], 1e4, 1e4, "2023-06-05"),
            ("TV", 0.4 * top["TV"], -0.4 * top["TV"], 5e3, 2e3, "2023-06-05"),
        ],
        columns=list(COLUMNS),
    )
    tests, _ = validate_lift_tests(raw, response.config, response.training, "tests")
    table = compare_with_model(tests, response)
    steady = np.zeros((12, 2))  # weeks of steady spend, longer than the lag
    expected = []
    for channel, before, after in ((1, 0.2, 0.7), (0, 0.4, 0.0)):
        levels = []
        for share in (after, before):
            spend = steady.copy()
            spend[:, channel] = share * top.iloc[channel]
            levels.append(response.contributions(spend)[:, -1, channel])
        expected.append(levels[0] - levels[1])
    assert table["model_mean"].to_numpy() == pytest.approx([d.mean() for d in expected])
    lower = [np.quantile(draws, 0.03) for draws in expected]
    assert table["model_lower_94"].to_numpy() == pytest.approx(lower)
    assert (table["model_lower_94"] < table["model_upper_94"]).all()
    z = (tests["delta_y"] - table["model_mean"]) / tests["sigma"]
    assert table["z"].to_numpy() == pytest.approx(z.to_numpy())
    assert table["inside"].tolist() == (z.abs() < 1.881).tolist()
    assert table["unexpected_sign"].tolist() == [False, True]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    """A real fit to noise, whose only word on media are two precise tests; stored and read."""
    rng = np.random.default_rng(2)
    weeks = WEEKS.assign(Sales=1e6 + 2e5 * rng.normal(size=60))
    rows = [
        ("TV", 2e4, 1e4, 7e4, 2e3, "2024-03-04"),
        ("Radio", 4e3, -4e3, 3e4, 1e4, "2025-02-17"),  # sales rose without radio
    ]
    raw = pd.DataFrame(rows, columns=list(COLUMNS))
    tests, _ = validate_lift_tests(raw, MODEL, weeks, "tests")
    sampler = SamplerConfig(draws=200, tune=300, chains=2)
    sampling = sample_posterior(MODEL, weeks, sampler, Attempt(0.9), lift_tests=tests)
    path = tmp_path_factory.mktemp("lift") / "trace.nc"
    save_trace(sampling.trace, path)
    return FittedModel(MODEL, load_trace(path))


@pytest.mark.slow
def test_a_fit_learns_from_its_tests_and_keeps_them(calibrated: FittedModel) -> None:
    assert set(calibrated.trace["posterior"].data_vars) == set(free_parameters(MODEL))
    tests = calibrated.lift_tests
    assert tests is not None
    table = compare_with_model(tests, calibrated.response)
    assert table["model_mean"][0] == pytest.approx(7e4, abs=3e3)  # in the units of the file
    assert table["inside"].tolist() == [True, False]
    assert -1e4 < table["model_mean"][1] < 0  # a response cannot fall, so its effect is near none
    assert table["unexpected_sign"].tolist() == [False, True]


@pytest.mark.slow
def test_a_calibrated_model_is_read_as_any_other(calibrated: FittedModel) -> None:
    parts = calibrated.decompose()  # the library's own graph, rebuilt without the tests
    media = calibrated.response.contributions(calibrated.spend.to_numpy())
    assert parts.channels.to_numpy() == pytest.approx(media, rel=1e-6)


def test_with_decimal_commas_a_point_between_thousands_is_no_number() -> None:
    """1.015 could be a thousand and fifteen; a weekly table refuses it as well."""
    raw = good_tests().astype(object)
    raw["delta_y"], raw["sigma"] = "1.015", "0,5"
    with pytest.raises(DataError, match=r"delta_y.*1\.015"):
        validate_lift_tests(raw, MODEL, WEEKS, "tests.csv", decimal=",")


def test_weeks_without_sales_are_no_reason_to_divide_by_nothing() -> None:
    sold = WEEKS["Sales"].where(np.arange(len(WEEKS)) % 3 == 0, 0.0)
    table, _ = validate_lift_tests(good_tests(), MODEL, WEEKS.assign(Sales=sold), "tests.csv")
    assert len(table) == len(good_tests())
