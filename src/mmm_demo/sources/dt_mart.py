"""The DT Mart files -> one weekly table that a model may see, and a report of every step.

Sales are summed by day, monthly spend is spread evenly over the days of its month, and days are
summed to Monday weeks: a week across two months gets its share of both. Decisions that change
what the table says (grouping, empty cells, the hole in the records) are options, never silent.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.settings.dt_mart_options import (
    CHANNELS,
    DATE,
    HOLE,
    SPARSE_CHANNELS,
    TARGET,
    DtMartOptions,
)
from mmm_demo.sources.dt_mart_files import (
    is_real_firstfile,
    read_firstfile,
    read_media_investment,
    read_nps,
    read_second_file,
    read_special_sales,
)
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.records import ALMOST_NONE, holes

HOLE_WEEKS = 2  # one week alone may be a week without deliveries
WEEK_DAYS = 7
RUPEE = 1.0


@dataclass(frozen=True)
class DtMartTable:
    """The weekly table and how it came about.

    Attributes
    ----------
    table
        Week (Monday, datetime64[ns]), Sales (INR), one column per group (INR), SaleDays (0 to 7),
        DiscountShare (discount / MRP; in a hole it rests on few order items), NPS (points), and
        RecordingHole (0 or 1) with `august: indicator`; one row per whole week.
    weeks
        Every week, whole or not, index Week: Sales, MRP, Discount, the channels of the files
        (INR), Rows (order items), SaleDays, NPS, Days. It adds up to the files.
    report
        Steps in order, as plain values: what was done, and rows, weeks, sales and spend (INR)
        before and after.
    warnings
        What a reader of results from this table must know.
    label
        `DT Mart`, or `DT Mart look-alike` unless firstfile.csv is the published one.
    """

    table: pd.DataFrame
    weeks: pd.DataFrame
    report: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    label: str

    @property
    def report_table(self) -> pd.DataFrame:
        """The report, one row per step."""
        return pd.DataFrame.from_records(list(self.report))


def build_weekly_table(folder: Path, options: DtMartOptions | None = None) -> DtMartTable:
    """Make the weekly table from a folder with the DT Mart files.

    Parameters
    ----------
    folder
        Holds the files; only read. Other files in it do not matter.
    options
        Decisions that the files leave open; by default those of `DtMartOptions`.

    Returns
    -------
    DtMartTable
        The table with its report.

    Raises
    ------
    FileNotFoundError
        When a file is missing.
    DataError
        When a file is not what it should be, or the options leave no week.
    """
    options = options or DtMartOptions()
    log = _Log()
    first, media = read_firstfile(folder), read_media_investment(folder)
    nps, specials = read_nps(folder).table, read_special_sales(folder).table
    log.warnings += [*first.warnings, *media.warnings]
    label = "DT Mart" if is_real_firstfile(first.facts) else "DT Mart look-alike"
    if label != "DT Mart":
        log.warnings.append(f"firstfile.csv is not the published one: call results {label!r}")
    sold = first.table["gmv_new"].sum()
    log.step("read firstfile.csv", "one row per order item", rows=first.rows, sales=sold)
    log.step("sum order items by day", "days with an order item", rows=len(first.table))
    spent = media.table[[*CHANNELS]].sum(axis=None)
    log.step("read MediaInvestment.csv", "12 months, crore to INR", spend=spent)
    second = read_second_file(folder).table
    _compare_with_second_file(log, first.table["gmv_new"], media.table.merge(nps), second)
    spend = _decide_sparse_channels(log, media.table, options)
    days = daily_table(first.table, spend, nps, specials)
    log.step("give every day its row", "none sold: 0; spend / days of its month", rows=len(days))
    weeks = weekly_sums(days)
    log.totals("sum days to Monday weeks", "partial ones too", weeks, options.channels)
    whole = _drop_partial_weeks(log, weeks, options)
    table = _model_columns(log, whole, options)
    found = find_recording_holes(whole["Sales"])
    hole = pd.DatetimeIndex([week for weeks_of_hole in found for week in weeks_of_hole])
    table = _treat_holes(log, table, whole["Rows"], hole, options)
    _warn_of_partly_recorded_weeks(log, days["Sales"], table[DATE], hole)
    return DtMartTable(table, weeks, tuple(log.steps), tuple(log.warnings), label)


def daily_table(
    sold: pd.DataFrame, spend: pd.DataFrame, nps: pd.DataFrame, specials: pd.DataFrame
) -> pd.DataFrame:
    """Put sales, spend and controls side by side, one row for every day of the spend's months.

    Parameters
    ----------
    sold
        From `read_firstfile`: gmv_new, product_mrp, discount (INR) and rows, index Date.
    spend
        Month and channels, INR per month.
    nps
        Month and NPS, points.
    specials
        Date of every sale day.

    Returns
    -------
    pandas.DataFrame
        Shape (days, 6 + channels), index Date: Sales, MRP, Discount, Rows (0 on days without an
        order item), the channels (INR per day), SaleDays (0 or 1) and NPS (of the month).
    """
    days = spread_over_days(spend)
    names = {"gmv_new": TARGET, "product_mrp": "MRP", "discount": "Discount", "rows": "Rows"}
    sums = sold[[*names]].rename(columns=names).reindex(days.index, fill_value=0)
    controls = nps.set_index("Month")["NPS"].reindex(days.index, method="ffill")
    sale_days = pd.Series(days.index.isin(specials["Date"]).astype("int64"), days.index)
    return pd.concat([sums, days], axis=1).assign(SaleDays=sale_days, NPS=controls)


def spread_over_days(monthly: pd.DataFrame) -> pd.DataFrame:
    """Spread monthly amounts evenly over the days of each month.

    Parameters
    ----------
    monthly
        Month (its first day) and amounts; consecutive months in order.

    Returns
    -------
    pandas.DataFrame
        Shape (days, amounts), index Date. Each column adds up to that of `monthly`.
    """
    amounts = monthly.set_index("Month")
    per_day = amounts.div(amounts.index.days_in_month, axis=0)
    last = amounts.index[-1] + pd.offsets.MonthEnd()
    return per_day.reindex(pd.date_range(amounts.index[0], last, name="Date"), method="ffill")


def weekly_sums(days: pd.DataFrame) -> pd.DataFrame:
    """Sum days to Monday weeks; NPS is averaged over the days of the week.

    Parameters
    ----------
    days
        From `daily_table`.

    Returns
    -------
    pandas.DataFrame
        Shape (weeks, columns of `days` + 1), index Week; Days is the number of days summed.
    """
    by_week = days.groupby(mondays(days.index).rename(DATE))
    return by_week.sum().assign(NPS=by_week["NPS"].mean(), Days=by_week.size())


def mondays(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the first day of each day's week."""
    return days - pd.to_timedelta(days.day_of_week, unit="D")


def find_recording_holes(sales: pd.Series) -> list[pd.DatetimeIndex]:
    """Find runs of weeks in which almost nothing was recorded.

    A hole is `HOLE_WEEKS` or more consecutive weeks that are each below `ALMOST_NONE` of the
    median week. Demand does not fall to a twentieth for weeks and come back within days.

    Parameters
    ----------
    sales
        Sales of consecutive whole weeks (INR), index the week.

    Returns
    -------
    list of pandas.DatetimeIndex
        The weeks of each hole.

    Raises
    ------
    DataError
        When half of the weeks are empty, so that nothing says what is normal.
    """
    if not sales.median() > 0:
        raise DataError(
            f"firstfile.csv, column 'gmv_new': {int((sales == 0).sum())} of {len(sales)} weeks "
            "are 0; download the data set again"
        )
    low = holes(sales)
    run = (low != low.shift(fill_value=False)).cumsum()
    runs = [part.index for _, part in low.groupby(run) if part.all()]
    return [weeks for weeks in runs if len(weeks) >= HOLE_WEEKS]


def _decide_sparse_channels(
    log: "_Log", media: pd.DataFrame, options: DtMartOptions
) -> pd.DataFrame:
    spend = media[["Month", *options.channels]].fillna(dict.fromkeys(SPARSE_CHANNELS, 0.0))
    names, money = " and ".join(SPARSE_CHANNELS), media[[*SPARSE_CHANNELS]].sum(axis=None)
    empty = int(media[[*SPARSE_CHANNELS]].isna().sum(axis=None))
    what = f"{names}: {empty} empty cells read as no spend"
    if options.radio_other == "drop":
        share = money / media[[*CHANNELS]].sum(axis=None)
        what = f"{names} left out: {money:,.0f} INR, {share:.1%} of all spend"
        log.warnings.append(f"{what}; radio_other: zero keeps them")
    log.step(
        f"radio_other: {options.radio_other}", what, spend=spend[[*options.channels]].sum(axis=None)
    )
    return spend


def _compare_with_second_file(
    log: "_Log", daily: pd.Series, months: pd.DataFrame, second: pd.DataFrame
) -> None:
    """Report how the months agree with Secondfile.csv; GMV there is known to be higher."""
    monthly = daily.groupby(daily.index.to_period("M")).sum()
    other = second.set_index(second["Month"].dt.to_period("M"))["total_gmv"]
    gap = (monthly / other - 1).sort_values()
    what = f"monthly GMV is {gap.iloc[0]:+.1%} to {gap.iloc[-1]:+.1%} off Secondfile.csv"
    log.step("compare with Secondfile.csv", f"{what}; firstfile.csv is used")
    names = [*CHANNELS, "NPS"]
    off = (months[names].fillna(0.0) - second[names].fillna(0.0)).abs() >= RUPEE
    if wrong := [name for name in names if off[name].any()]:
        log.warnings.append(
            f"Secondfile.csv and MediaInvestment.csv or MonthlyNPSscore.csv differ in "
            f"{', '.join(wrong)}; check which is right"
        )


def _drop_partial_weeks(log: "_Log", weeks: pd.DataFrame, options: DtMartOptions) -> pd.DataFrame:
    whole = weeks[weeks["Days"] == WEEK_DAYS]
    dropped = [
        f"{week:%Y-%m-%d} ({n} of 7 days)" for week, n in weeks["Days"].items() if n < WEEK_DAYS
    ]
    what = f"partial weeks dropped: {', '.join(dropped) or 'none'}"
    log.totals("drop partial weeks", what, whole, options.channels)
    if dropped:
        log.warnings.append(what)
    return whole


def _model_columns(log: "_Log", weeks: pd.DataFrame, options: DtMartOptions) -> pd.DataFrame:
    groups = {name: weeks[[*members]].sum(axis=1) for name, members in options.groups.items()}
    share = weeks["Discount"] / weeks["MRP"].where(weeks["MRP"] > 0)
    if unknown := int(share.isna().sum()):
        log.warnings.append(f"DiscountShare of {unknown} week(s) without sales set to the median")
    table = weeks[[TARGET]].assign(**groups, SaleDays=weeks["SaleDays"].astype(float))
    table = table.assign(DiscountShare=share.fillna(share.median()), NPS=weeks["NPS"])
    table = table.reset_index().astype({DATE: "datetime64[ns]"})
    named = "; ".join(f"{name} = {' + '.join(of)}" for name, of in options.groups.items())
    log.totals("group channels", named, table, tuple(groups))
    return table


def _treat_holes(
    log: "_Log",
    table: pd.DataFrame,
    items: pd.Series,
    hole: pd.DatetimeIndex,
    options: DtMartOptions,
) -> pd.DataFrame:
    channels = tuple(options.groups)
    rule = f"{HOLE_WEEKS}+ weeks below {ALMOST_NONE:.0%} of the median week"
    what = f"no recording hole found ({rule})"
    if len(hole):
        weeks = ", ".join(f"{week:%Y-%m-%d}" for week in hole)
        what = f"recording hole ({rule}): {weeks}, with {items[hole].sum():,} order items in all"
    if options.august == "indicator":
        table = table.assign(**{HOLE: table[DATE].isin(hole).astype(float)})
        what += f"; marked by {HOLE}" if len(hole) else f"; {HOLE} is 0, leave it out of the model"
    elif len(hole):
        table = table[table[DATE] > hole.max()].reset_index(drop=True)
        what += "; the table starts after it"
        if table.empty:
            raise DataError(f"firstfile.csv: {what}, which leaves no week; use august: indicator")
    log.totals(f"august: {options.august}", what, table, channels)
    log.warnings.append(what)
    return table


def _warn_of_partly_recorded_weeks(
    log: "_Log", daily: pd.Series, weeks: pd.Series, hole: pd.DatetimeIndex
) -> None:
    monday = mondays(daily.index[holes(daily)])
    counts = monday[monday.isin(weeks) & ~monday.isin(hole)].value_counts().sort_index()
    if found := [f"{week:%Y-%m-%d} ({n} of 7)" for week, n in counts.items()]:
        log.warnings.append(
            f"weeks with days on which almost nothing was recorded (below {ALMOST_NONE:.0%} of the "
            f"median day), so that their sales are too low: {', '.join(found)}"
        )


class _Log:
    """Collects steps and warnings; the state after a step is that before the next."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = dict.fromkeys(("rows", "weeks", "sales", "spend"))
        self.steps: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def step(self, name: str, detail: str, **changes: float) -> None:
        after = self.state | {
            key: round(float(value), 2) if key in ("sales", "spend") else int(value)
            for key, value in changes.items()
        }
        pairs = {
            f"{key}_{side}": state[key]
            for key in after
            for side, state in (("before", self.state), ("after", after))
        }
        self.steps.append({"step": name, "detail": detail, **pairs})
        self.state = after

    def totals(
        self, name: str, detail: str, weeks: pd.DataFrame, channels: tuple[str, ...]
    ) -> None:
        sales, spend = weeks[TARGET].sum(), weeks[[*channels]].sum(axis=None)
        self.step(name, detail, rows=len(weeks), weeks=len(weeks), sales=sales, spend=spend)
