"""Where the weekly table comes from: simulated, a CSV file, or DT Mart on Kaggle."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import pandas as pd

from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.experiment import (
    DataConfig,
    ExperimentConfig,
    ModelConfig,
    with_calendar,
)
from mmm_demo.settings.project import require_project_root
from mmm_demo.settings.wording import span
from mmm_demo.sources.download import download_dt_mart
from mmm_demo.sources.dt_mart import build_weekly_table
from mmm_demo.sources.holidays import occurrences
from mmm_demo.sources.simulate import CHANNELS, Truth, simulate_market
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.derived import with_groups, with_trend
from mmm_demo.tables.events import read_events, require_told
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.lift import read_lift_tests
from mmm_demo.tables.table_file import read_csv

WEEKS_OF_YEAR, SEASONS = 52, 2  # a season is what comes back


@dataclass(frozen=True)
class MarketingData:
    """A weekly table that passed the contract.

    Attributes
    ----------
    table
        Columns date, target, channels, controls; one row per week.
    source
        Where it came from, in words.
    warnings
        What was noticed without refusing.
    label
        What results must be called, e.g. `DT Mart look-alike`; empty when the source says it.
    report
        How the table was made, one row per step, where it was made from other files.
    lift_tests
        Experiments that calibrate the model (`lift.COLUMNS`), where the config names any.
    calendar
        When the events of the data settings were and will be.
    """

    table: pd.DataFrame
    source: str
    warnings: tuple[str, ...] = ()
    label: str = ""
    report: pd.DataFrame | None = None
    lift_tests: pd.DataFrame | None = None
    calendar: tuple[Occurrence, ...] = ()

    @cached_property
    def span(self) -> str:
        """First and last week and their number."""
        weeks = self.table.iloc[:, 0]
        return f"{span([*weeks])}, {len(weeks)} weeks"


def load_market(
    data: DataConfig, model: ModelConfig, root: Path, today: date | None = None
) -> MarketingData:
    """Load the weekly table and lift tests of an experiment and hold them against the contract.

    Parameters
    ----------
    data
        Source and its settings.
    model
        Columns and lag, which the table must fit.
    root
        The project's folder; relative paths start there.
    today
        No sales are known after it; the machine's day when omitted. A simulated market has none.

    Raises
    ------
    DataError
        When the table or a lift test is not one that a model may see.
    FileNotFoundError
        When a CSV file is not there.
    RuntimeError
        When DT Mart cannot be downloaded.
    """
    read = _read_source(data, root)
    raw, noticed = with_groups(read.table, data.groups, data.missing_spend, read.source)
    if data.trend == "linear":
        raw = with_trend(raw, read.source)
    where = f"{read.source} ({data.grouping})" if data.groups else read.source
    today = None if data.source == "simulated" else today or date.today()
    table, warnings = validate_table(raw, model, data, where, today)
    warnings = (*read.warnings, *noticed, *warnings, *_season_warnings(model, len(table)))
    lift_tests = None
    if data.lift_tests is not None:
        path = root / data.lift_tests
        lift_tests, noticed = read_lift_tests(path, model, table, data.members, data.decimal)
        warnings = (*warnings, *noticed)
    calendar = _calendar(data, table.iloc[:, 0], root)
    noticed = require_told(calendar, table.iloc[:, 0], model.columns, read.source)
    warnings = (*warnings, *noticed)
    return replace(read, table=table, warnings=warnings, lift_tests=lift_tests, calendar=calendar)


def _calendar(data: DataConfig, weeks: pd.Series, root: Path) -> tuple[Occurrence, ...]:
    """Return when the events of an experiment were and will be; those of the file first."""
    found = read_events(root / data.events) if data.events else ()
    if data.holidays:
        first, last = weeks.iloc[0].date(), weeks.iloc[-1].date() + timedelta(days=6)
        public = occurrences(data.holidays, first, last)
        if twice := sorted({time.name for time in found} & {time.name for time in public}):
            raise DataError(
                f"{data.events} and data.holidays both have {', '.join(twice)}; rename it in the "
                "file, or leave it out of data.holidays.names"
            )
        found = (*found, *public)
    return tuple(found)


def with_events(experiment: ExperimentConfig, data: MarketingData) -> ExperimentConfig:
    """Return an experiment whose model knows when the events of its data were and will be."""
    model = with_calendar(experiment.model, data.calendar)
    return experiment if model is experiment.model else replace(experiment, model=model)


def _season_warnings(model: ModelConfig, weeks: int) -> Iterator[str]:
    """Warn of a season that was not seen twice: whatever happened once could be it."""
    modes, years = model.yearly_seasonality, weeks / WEEKS_OF_YEAR
    if modes and years < SEASONS:
        count = {1: "one yearly mode", 2: "two yearly modes"}.get(modes, f"{modes} yearly modes")
        time = "one year" if round(years, 1) == 1 else f"{years:.1f} years"
        missing = SEASONS * WEEKS_OF_YEAR - weeks
        yield (
            f"{count} from {time} of weeks: {weeks} weeks show no season twice, so its "
            f"{2 * modes} parameters can take what media or a single event did; set "
            f"model.yearly_seasonality: 0, or bring {missing} more week(s)"
        )


def _read_source(data: DataConfig, root: Path) -> MarketingData:
    """Return the table as its source has it, before the contract."""
    if data.source == "simulated":
        table = simulate_market(data.seed, data.weeks).table
        return MarketingData(table, f"simulated market, seed {data.seed}")
    if data.source == "csv":
        table = read_csv(root / str(data.path), data.decimal, data.separator)
        return MarketingData(table, str(data.path))
    built = build_weekly_table(download_dt_mart(root / "data"), data.dt_mart)
    return MarketingData(
        built.table, built.label, tuple(built.warnings), built.label, built.report_table
    )


def load_data(force_download: bool = False) -> pd.DataFrame:
    """Return the weekly DT Mart table with the default options.

    Parameters
    ----------
    force_download
        Download the files again, into a new dated folder beside the old one.

    Returns
    -------
    pandas.DataFrame
        Columns Week, Sales (INR), the channel groups (INR) and the controls; one row per week.

    Raises
    ------
    DataError
        When a file is not what it should be.
    FileNotFoundError
        When called outside the project.
    RuntimeError
        When DT Mart cannot be downloaded.
    """
    folder = download_dt_mart(require_project_root() / "data", force_download)
    return build_weekly_table(folder).table


def known_truth(data: DataConfig) -> Truth | None:
    """Return what really drove sales; known for the channels of simulated markets only."""
    if data.source != "simulated" or not set(data.members) <= set(CHANNELS):
        return None
    market = simulate_market(data.seed, data.weeks)
    return _grouped(market.truth, market.table[list(CHANNELS)].sum(), data.groups)


def _grouped(truth: Truth, spend: pd.Series, groups: Mapping[str, tuple[str, ...]]) -> Truth:
    """Return the truth of groups of channels, whose sales add up; their rates do not.

    Parameters
    ----------
    truth, spend
        Of single channels; spend is money in all weeks.
    groups
        Members by name; channels in none stay as they are.
    """
    home = {member: group for group, members in groups.items() for member in members}

    def add_up(values: pd.Series) -> pd.Series:
        return values.rename(index=home).groupby(level=0, sort=False).sum()

    money = add_up(spend)
    return Truth(
        contributions=truth.contributions.apply(add_up, axis=1),
        roas=add_up(truth.roas * spend) / money,
        share=add_up(truth.share),
        adstock_alpha=truth.adstock_alpha.reindex(money.index),
        saturation_lam=truth.saturation_lam.reindex(money.index),
    )
