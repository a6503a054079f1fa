"""The weekly table of DT Mart: it adds up to its files, and every decision is a stated one."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import PROJECT, PYTHON
from lookalike import write_lookalike
from mmm_demo.settings.dt_mart_options import CHANNELS, CONTROLS
from mmm_demo.settings.experiment import DataConfig, ModelConfig
from mmm_demo.sources import dt_mart
from mmm_demo.sources.dt_mart import (
    DtMartOptions,
    DtMartTable,
    build_weekly_table,
    daily_table,
    find_recording_holes,
    spread_over_days,
    weekly_sums,
)
from mmm_demo.sources.dt_mart_files import (
    DtMartFile,
    FirstFile,
    read_firstfile,
    read_media_investment,
    read_nps,
    read_special_sales,
)
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.faults import DataError

GROUPS = ("TV", "Sponsorship", "Digital", "Online")
HOLE = [*pd.date_range("2015-08-03", "2015-08-24", freq="7D")]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lookalike(tmp_path_factory.getbasetemp() / "dt_mart")


@pytest.fixture(scope="session")
def built(folder: Path) -> DtMartTable:
    return build_weekly_table(folder)


@pytest.fixture(scope="session")
def spend(folder: Path) -> pd.DataFrame:
    return read_media_investment(folder).table[["Month", *CHANNELS]]


def with_order_items(folder: Path, target: Path, keep, more: list[str]) -> Path:
    """Link a folder's files and write another firstfile.csv: some rows out, some rows in."""
    for path in folder.glob("*.csv"):
        if path.name != "firstfile.csv":
            (target / path.name).symlink_to(path)
    header, *rows = (folder / "firstfile.csv").read_text().splitlines()
    rows = [row for row in rows if keep(row.split(",")[1].strip('"'))]
    (target / "firstfile.csv").write_text("\n".join([header, *rows, *more]) + "\n")
    return target


def order_item(day: pd.Timestamp, gmv: float) -> str:
    product = '"Camera","Camera","DSLR"'
    return f'"9","{day:%Y-%m-%d}","No Promotion",{gmv},1,{gmv / 0.6},{gmv / 0.6 - gmv},{product}'


@pytest.fixture(scope="session")
def complete(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same market with every day of July and August recorded."""
    days = [*pd.date_range("2015-07-01", "2015-07-06"), *pd.date_range("2015-08-01", "2015-08-31")]
    more = [order_item(day, 9e6 + 1e5 * day.day) for day in days]
    target = tmp_path_factory.mktemp("complete")
    return with_order_items(folder, target, lambda day: True, more)


# --- check values and conservation --------------------------------------------------------------


def test_weeks_have_the_published_values(built: DtMartTable) -> None:
    sales = built.weeks["Sales"]
    assert len(sales) == 53
    assert sales.index[0] == pd.Timestamp("2015-06-29")
    assert sales.index[-1] == pd.Timestamp("2016-06-27")
    assert set(sales.index.day_of_week) == {0}
    assert sales.sum() == pytest.approx(3_884_723_238, rel=1e-6)
    assert sales.mean() == pytest.approx(73_296_665, rel=1e-6)
    assert (sales.idxmax(), sales.idxmin()) == (
        pd.Timestamp("2015-10-12"),
        pd.Timestamp("2015-08-10"),
    )
    assert sales.max() == pytest.approx(295_492_714, rel=0.002)
    assert sales.min() == pytest.approx(11_712, rel=0.002)
    assert sales.iloc[0] == pytest.approx(623_671, rel=0.002)
    assert sales.iloc[-1] == pytest.approx(38_967_377, rel=0.002)
    assert sales["2015-08-31"] == pytest.approx(81_877_356, rel=0.002)


def test_weeks_add_up_to_the_days_and_to_the_files(
    folder: Path, built: DtMartTable, spend: pd.DataFrame
) -> None:
    first = read_firstfile(folder).table
    specials = read_special_sales(folder).table
    days = daily_table(first, spend.fillna(0.0), read_nps(folder).table, specials)
    weeks = weekly_sums(days)
    assert len(days) == 366
    sums = {"Sales": "gmv_new", "MRP": "product_mrp", "Discount": "discount", "Rows": "rows"}
    for ours, theirs in sums.items():
        assert weeks[ours].sum() == pytest.approx(days[ours].sum(), abs=0.5)
        assert weeks[ours].sum() == pytest.approx(first[theirs].sum(), abs=0.5)
    for channel in CHANNELS:
        assert abs(weeks[channel].sum() - spend[channel].sum()) < 1, channel
    assert weeks["Days"].sum() == 366
    assert weeks["SaleDays"].sum() == 44
    assert (weeks["SaleDays"] > 0).sum() == 15
    same = [name for name in built.weeks if name not in ("Radio", "Other")]
    pd.testing.assert_frame_equal(built.weeks, weeks[same])


def test_spend_follows_the_days_of_the_month_not_its_mondays(spend: pd.DataFrame) -> None:
    days = spread_over_days(spend)
    by_month = days.groupby(days.index.to_period("M")).sum()
    assert (by_month.to_numpy() - spend[[*CHANNELS]].fillna(0.0).to_numpy()).max() < 1
    weeks = weekly_sums(days.assign(NPS=0.0))
    tv = {month: spend["TV"][place] for place, month in enumerate(spend["Month"].dt.month)}
    # Monday 31 August, six days of September.
    assert weeks["TV"]["2015-08-31"] == pytest.approx(tv[8] / 31 + 6 * tv[9] / 30)
    assert weeks["TV"]["2016-02-29"] == pytest.approx(tv[2] / 29 + 6 * tv[3] / 31)


def test_empty_cells_stay_empty_until_decided(spend: pd.DataFrame) -> None:
    days = spread_over_days(spend)
    assert days["Radio"].isna().sum() == 366 - 31 - 31 - 31
    assert days["TV"].notna().all()


# --- the table ----------------------------------------------------------------------------------


def test_table_passes_the_contract(built: DtMartTable) -> None:
    table = built.table
    assert [*table] == ["Week", "Sales", *GROUPS, *CONTROLS, "RecordingHole"]
    assert table["Week"].dtype == "datetime64[ns]"
    assert len(table) == 51
    assert table["Week"].tolist() == [*pd.date_range("2015-07-06", periods=51, freq="7D")]
    model = ModelConfig(GROUPS, (*CONTROLS, "RecordingHole"), adstock_max_lag=4)
    clean, _ = validate_table(table, model, DataConfig(), built.label)
    pd.testing.assert_frame_equal(clean, table, check_dtype=False)


def test_partial_weeks_are_dropped_and_said_so(built: DtMartTable) -> None:
    step = next(step for step in built.report if step["step"] == "drop partial weeks")
    assert (step["weeks_before"], step["weeks_after"]) == (53, 51)
    what = "partial weeks dropped: 2015-06-29 (5 of 7 days), 2016-06-27 (4 of 7 days)"
    assert step["detail"] == what
    assert what in built.warnings
    lost = built.weeks["Sales"].iloc[[0, -1]].sum()
    assert step["sales_before"] - step["sales_after"] == pytest.approx(lost, abs=1)


def test_groups_add_up_their_channels(built: DtMartTable) -> None:
    weeks, table = built.weeks.iloc[1:-1], built.table
    digital = weeks["Digital"] + weeks["SEM"] + weeks["Content Marketing"]
    np.testing.assert_allclose(table["Digital"], digital)
    np.testing.assert_allclose(table["Online"], weeks["Online marketing"] + weeks["Affiliates"])
    np.testing.assert_allclose(table["TV"], weeks["TV"])


def test_controls_are_measured_not_leaked(folder: Path, built: DtMartTable) -> None:
    table = built.table.set_index("Week")
    weeks = built.weeks.iloc[1:-1]
    assert table["SaleDays"].between(0, 7).all()
    assert table["SaleDays"].sum() == 44
    assert table["SaleDays"]["2015-12-28"] == 7  # Christmas & New Year Sale
    np.testing.assert_allclose(table["DiscountShare"], weeks["Discount"] / weeks["MRP"])
    assert table["DiscountShare"].between(0.2, 0.7).all()
    recorded = table.drop(index=HOLE)
    leak = np.corrcoef(weeks["Discount"].drop(index=HOLE), recorded["Sales"])[0, 1]
    assert abs(np.corrcoef(recorded["DiscountShare"], recorded["Sales"])[0, 1]) < leak - 0.2
    nps = read_nps(folder).table["NPS"]
    assert table["NPS"]["2015-07-20"] == pytest.approx(nps[0])
    assert table["NPS"]["2015-07-27"] == pytest.approx((5 * nps[0] + 2 * nps[1]) / 7)


def test_discount_share_of_a_week_without_sales_is_the_median(
    folder: Path, tmp_path: Path, built: DtMartTable
) -> None:
    silent = {f"2015-08-{day:02}" for day in range(10, 17)}
    with_order_items(folder, tmp_path, lambda day: day not in silent, [])
    other = build_weekly_table(tmp_path)
    share = other.table.set_index("Week")["DiscountShare"]
    assert share["2015-08-10"] == pytest.approx(share.drop("2015-08-10").median(), rel=1e-9)
    assert "DiscountShare of 1 week(s) without sales set to the median" in other.warnings
    assert not [text for text in built.warnings if "DiscountShare" in text]


# --- the hole in the records --------------------------------------------------------------------


def test_hole_of_august_is_marked(built: DtMartTable) -> None:
    marked = built.table[built.table["RecordingHole"] == 1.0]
    assert marked["Week"].tolist() == HOLE
    assert set(built.table["RecordingHole"]) == {0.0, 1.0}
    (warning,) = [text for text in built.warnings if "recording hole" in text]
    assert "2015-08-03, 2015-08-10, 2015-08-17, 2015-08-24" in warning
    items = int(built.weeks["Rows"].loc[HOLE].sum())
    assert f"with {items:,} order items in all; marked by RecordingHole" in warning


def test_weeks_with_a_few_silent_days_are_named(built: DtMartTable) -> None:
    (warning,) = [text for text in built.warnings if "almost nothing was recorded" in text]
    assert warning.endswith("2015-07-06 (1 of 7), 2015-07-27 (2 of 7), 2015-08-31 (1 of 7)")


def test_table_may_start_after_the_hole(folder: Path, built: DtMartTable) -> None:
    later = build_weekly_table(folder, DtMartOptions(august="start_after"))
    assert "RecordingHole" not in later.table
    assert later.table["Week"].iloc[0] == pd.Timestamp("2015-08-31")
    expected = built.table.drop(columns="RecordingHole").iloc[8:].reset_index(drop=True)
    pd.testing.assert_frame_equal(later.table, expected)
    step = later.report[-1]
    assert (step["weeks_before"], step["weeks_after"]) == (51, 43)
    assert step["sales_after"] == pytest.approx(later.table["Sales"].sum(), abs=1)
    assert "the table starts after it" in step["detail"]


@pytest.mark.parametrize("august", ["indicator", "start_after"])
def test_complete_records_have_no_hole(complete: Path, august: str) -> None:
    built = build_weekly_table(complete, DtMartOptions(august=august))
    assert len(built.table) == 51
    assert built.table.get("RecordingHole", pd.Series([0.0])).eq(0.0).all()
    (warning,) = [text for text in built.warnings if "recording hole" in text]
    assert warning.startswith("no recording hole found (2+ weeks below 5% of the median week)")
    assert ("leave it out of the model" in warning) == (august == "indicator")
    assert not [text for text in built.warnings if "almost nothing" in text]


def test_hole_is_found_wherever_it_is(complete: Path, tmp_path: Path) -> None:
    silent = {f"{day:%Y-%m-%d}" for day in pd.date_range("2016-03-05", "2016-03-21")}
    with_order_items(complete, tmp_path, lambda day: day not in silent, [])
    built = build_weekly_table(tmp_path)
    marked = built.table["Week"][built.table["RecordingHole"] == 1.0]
    assert marked.tolist() == [pd.Timestamp("2016-03-07"), pd.Timestamp("2016-03-14")]
    (warning,) = [text for text in built.warnings if "almost nothing was recorded" in text]
    assert warning.endswith("2016-02-29 (2 of 7), 2016-03-21 (1 of 7)")


def test_what_is_a_hole() -> None:
    def holes(*values: float) -> list[list[int]]:
        weeks = pd.date_range("2024-01-01", periods=len(values), freq="7D")
        found = find_recording_holes(pd.Series(values, weeks))
        return [[weeks.get_loc(week) for week in hole] for hole in found]

    assert holes(9, 8, 0.1, 0.0, 9, 9, 9) == [[2, 3]]
    assert holes(0.1, 0.1, 9, 8, 9, 7, 8, 9, 0.2, 0.1, 0.3) == [[0, 1], [8, 9, 10]]
    assert holes(9, 8, 0.1, 9, 9, 0.1, 9) == [], "one week alone"
    assert holes(9, 8, 0.9, 0.8, 9, 9, 9) == [], "a tenth is low demand"
    assert holes(1, 100, 3, 2, 4, 5, 90) == []
    assert holes(5, 5, 5) == []
    with pytest.raises(DataError, match="3 of 5 weeks are 0; download the data set again"):
        holes(0, 0, 0, 4, 5)


def test_hole_at_the_end_leaves_no_table_to_start_after_it(complete: Path, tmp_path: Path) -> None:
    with_order_items(complete, tmp_path, lambda day: not "2016-06-12" < day < "2016-06-30", [])
    assert build_weekly_table(tmp_path).table["RecordingHole"].tolist()[-2:] == [1.0, 1.0]
    with pytest.raises(DataError, match="leaves no week; use august: indicator"):
        build_weekly_table(tmp_path, DtMartOptions(august="start_after"))


# --- options ------------------------------------------------------------------------------------


def test_radio_and_other_left_out_with_their_money(built: DtMartTable) -> None:
    step = next(step for step in built.report if step["step"] == "radio_other: drop")
    assert step["spend_before"] - step["spend_after"] == 527_000_000
    (warning,) = [text for text in built.warnings if "Radio" in text]
    assert warning.startswith("Radio and Other left out: 527,000,000 INR, 6.2% of all spend")
    assert not {"Radio", "Other"} & {*built.table, *built.weeks}


def test_radio_and_other_kept_as_zero(folder: Path, built: DtMartTable) -> None:
    kept = build_weekly_table(folder, DtMartOptions(radio_other="zero"))
    assert [*kept.table][2:8] == [*GROUPS, "Radio", "Other"]
    assert kept.weeks["Radio"].sum() == pytest.approx(47_000_000, abs=1)
    assert kept.weeks["Other"].sum() == pytest.approx(480_000_000, abs=1)
    assert (kept.table["Radio"] > 0).sum() < 20
    pd.testing.assert_frame_equal(kept.table.drop(columns=["Radio", "Other"]), built.table)
    step = next(step for step in kept.report if step["step"] == "radio_other: zero")
    assert step["detail"] == "Radio and Other: 18 empty cells read as no spend"
    assert step["spend_before"] == step["spend_after"] == 8_465_000_000
    grouped = {"TV and Radio": ("TV", "Radio"), "Rest": CHANNELS[1:7]}
    options = DtMartOptions(groups=grouped, radio_other="zero")
    assert [*options.groups] == ["TV and Radio", "Rest", "Other"]


def test_other_groups(folder: Path, built: DtMartTable) -> None:
    groups = {"Offline": ("TV", "Sponsorship"), "Online": CHANNELS[1:2] + CHANNELS[3:7]}
    other = build_weekly_table(folder, DtMartOptions(groups=groups))
    assert [*other.table][2:4] == ["Offline", "Online"]
    total = built.table[[*GROUPS]].sum(axis=1)
    np.testing.assert_allclose(other.table[["Offline", "Online"]].sum(axis=1), total)


def test_default_options() -> None:
    assert asdict(DtMartOptions()) == {
        "august": "indicator",
        "groups": {
            "TV": ("TV",),
            "Sponsorship": ("Sponsorship",),
            "Digital": ("Digital", "SEM", "Content Marketing"),
            "Online": ("Online marketing", "Affiliates"),
        },
        "radio_other": "drop",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"august": "keep"}, "august must be one of indicator, start_after, got 'keep'"),
        ({"radio_other": None}, "radio_other must be one of drop, zero, got None"),
        ({"groups": {"All": CHANNELS[:6]}}, "in no group, and their money would be lost: SEM"),
        ({"groups": {"A": CHANNELS[:7], "B": ("TV",)}}, "in two groups: TV"),
        ({"groups": {"A": CHANNELS[:7], "B": ()}}, "groups are empty: B"),
        ({"groups": {"A": CHANNELS[:8]}}, "radio_other: zero adds Radio and Other): Radio"),
        ({"groups": {"A": (*CHANNELS[:7], " TV")}}, "not among the channels TV, Digital, "),
        ({"groups": {"NPS": CHANNELS[:7]}}, "columns of the table already: NPS"),
        ({"groups": {"TV": "TV"}}, "groups.TV must list channels, got 'TV'"),
    ],
)
def test_options_that_mean_nothing(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(groups|august|radio_other)") as caught:
        DtMartOptions(**options)
    assert message in str(caught.value)


# --- report and label ---------------------------------------------------------------------------


def test_report_tells_every_step(built: DtMartTable) -> None:
    assert json.loads(json.dumps(built.report, allow_nan=False)) == list(built.report)
    table = built.report_table
    assert len(table) == len(built.report) == 10
    for before, after in zip(built.report[:-1], built.report[1:], strict=True):
        for kind in ("rows", "weeks", "sales", "spend"):
            assert after[f"{kind}_before"] == before[f"{kind}_after"]
    assert table["rows_after"].tolist() == [
        *(read_rows := [int(built.weeks["Rows"].sum()), 360, 360, 360, 360]),
        *(366, 53, 51, 51, 51),
    ]
    assert len(read_rows) == 5
    end = built.report[-1]
    assert end["sales_after"] == pytest.approx(built.table["Sales"].sum(), abs=1)
    assert end["spend_after"] == pytest.approx(built.table[[*GROUPS]].sum(axis=None), abs=1)
    (compared,) = [step["detail"] for step in built.report if "compare" in step["step"]]
    assert compared.startswith("monthly GMV is -7.0% to -2.4% off Secondfile.csv")


def test_second_file_that_disagrees_is_warned_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch, built: DtMartTable
) -> None:
    assert not [text for text in built.warnings if "differ in" in text]
    true = read_media_investment(folder)
    off = true.table.assign(TV=true.table["TV"] + 1e6)
    monkeypatch.setattr(dt_mart, "read_media_investment", lambda _: DtMartFile(off, 12))
    (warning,) = [text for text in build_weekly_table(folder).warnings if "differ in" in text]
    assert "differ in TV; check which is right" in warning


def test_only_the_real_firstfile_is_called_dt_mart(
    folder: Path, built: DtMartTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built.label == "DT Mart look-alike"
    assert any("call results 'DT Mart look-alike'" in text for text in built.warnings)
    known: list[FirstFile] = []
    monkeypatch.setattr(dt_mart, "is_real_firstfile", lambda facts: not known.append(facts))
    real = build_weekly_table(folder)
    assert real.label == "DT Mart"
    assert known == [read_firstfile(folder).facts]
    assert not any("look-alike" in text for text in real.warnings)


def test_warnings_of_the_files_are_passed_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_firstfile(folder).rows
    monkeypatch.setattr("mmm_demo.sources.dt_mart_files.SPREADSHEET_ROWS", rows)
    assert "as many as a spreadsheet keeps" in build_weekly_table(folder).warnings[0]


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("firstfile.csv", "MediaInvestment.csv", "MonthlyNPSscore.csv", "SpecialSale.csv"),
        "Secondfile.csv",
    ],
)
def test_missing_file(folder: Path, tmp_path: Path, name: str) -> None:
    for path in folder.glob("*.csv"):
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(FileNotFoundError, match=f"no {name} in .*; put it there or download"):
        build_weekly_table(tmp_path)


def test_folder_is_only_read(folder: Path, built: DtMartTable) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = build_weekly_table(folder)
    pd.testing.assert_frame_equal(again.table, built.table)
    assert again.report == built.report
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_modules_start_fast_and_without_the_sampler() -> None:
    code = (
        "import sys, mmm_demo.sources.dt_mart; "
        "print([m for m in ('pymc', 'mlflow') if m in sys.modules])"
    )
    command = [PYTHON, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.strip() == "[]"
