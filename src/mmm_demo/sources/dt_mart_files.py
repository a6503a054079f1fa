"""The DT Mart files as they are: one reader each, which refuses what is not its file.

A cell is read by what its column really holds (crore, M/D/YYYY, `NA`); nothing is ever guessed, and
each fault has line, column and next step. The small files are read cell by cell. The large one is
parsed by pandas; only when it turns out to be faulty is it read again, cell by cell, to name the
line. ProductList.csv and Sales.csv say nothing that the weekly table needs.

Every reader takes the folder of the files and raises `FileNotFoundError` when its file is not
there, and `DataError` (file, line, column, value, next step) when it is not what it should be.
"""

import csv
import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.settings.dt_mart_options import CHANNELS, SPARSE_CHANNELS
from mmm_demo.tables import faults
from mmm_demo.tables.faults import DataError

FIRST_DAY, LAST_DAY = dt.date(2015, 7, 1), dt.date(2016, 6, 30)
CRORE = 10_000_000  # INR
CRORE_MAX = 10_000.0  # a month's spend above this is in INR already
ENOUGH_FAULTS = 5  # a file of another kind has one in every row
CHUNK_ROWS = 200_000  # of a large file at a time
AGAIN = "download the data set again"
NO_ROW = f"line 2: no row after the header; truncated? Then {AGAIN}"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
type Parser = Callable[[str], Any]  # cell -> value, or ValueError: what is wrong; what to do
type Parsers = dict[str, Parser]  # by column
SPREADSHEET_ROWS = 1_048_575  # a spreadsheet drops the rows after these without a word
SALE_DAYS = 44
ROUNDING = 0.55  # crore: nine channels and their total, each rounded to 0.1, and some to spare
CATEGORIES = {  # order items in the real firstfile.csv
    "EntertainmentSmall": 918_775,
    "CameraAccessory": 246_499,
    "GamingHardware": 222_773,
    "Camera": 99_301,
    "GameCDDVD": 90_731,
}
REAL_ROWS, REAL_VERTICALS = 1_578_079, 72
REAL_START = ("2015-07-01", "No Promotion")
REAL_FIRST_ROWS = (  # from gmv_new on
    (3040.0, 1.0, 3650.0, 610.0, "EntertainmentSmall", "HomeAudio", "HomeAudioSpeaker"),
    (310.0, 1.0, 400.0, 90.0, "EntertainmentSmall", "Speaker", "LaptopSpeaker"),
    (1999.0, 1.0, 7999.0, 6000.0, "GamingHardware", "GamingAccessory", "GamePad"),
    (139.0, 1.0, 700.0, 561.0, "EntertainmentSmall", "TVVideoSmall", "RemoteControl"),
    (99.0, 1.0, 700.0, 601.0, "EntertainmentSmall", "TVVideoSmall", "RemoteControl"),
)

# --- cells ---------------------------------------------------------------------------------------


def text(cell: str) -> str:
    """Read a text that must be there."""
    if not cell.strip():
        raise ValueError("is empty; give the value")
    return cell


def number(cell: str) -> float:
    """Read a finite number in plain notation, such as 7.42e+08."""
    if not NUMBER.fullmatch(cell.strip()) or not math.isfinite(float(cell)):
        raise ValueError("is not a plain number; correct it, without unit or thousands separator")
    return float(cell)


def amount(cell: str) -> float:
    """Read a number that is not negative."""
    if (value := number(cell)) < 0:
        raise ValueError("is negative; correct it, refunds and credits do not belong here")
    return value


def whole(cell: str) -> int:
    """Read a whole number."""
    if not (value := number(cell)).is_integer():
        raise ValueError("is not a whole number; correct it")
    return int(value)


def crore(cell: str) -> float:
    """Read crore INR and return INR, rounded to rupees."""
    if (value := amount(cell)) > CRORE_MAX:
        raise ValueError("is too much for crore INR; give crore, 1 crore = 10,000,000 INR")
    return float(round(value * CRORE))


def score(cell: str) -> float:
    """Read a net promoter score."""
    if not -100 <= (value := number(cell)) <= 100:
        raise ValueError("is no promoter score; correct it, from -100 to 100")
    return value


def or_nothing(parse: Parser) -> Parser:
    """Return a parser that reads an empty cell and R's `NA` as NaN."""
    return lambda cell: math.nan if cell.strip() in ("", "NA") else parse(cell)


def day(form: str, meaning: str) -> Parser:
    """Return a parser of dates of one form, which must be those of the data set."""

    @lru_cache(maxsize=4096)  # order items of one day stand together
    def parse(cell: str) -> dt.datetime:
        try:
            value = dt.datetime.strptime(cell, form)
        except ValueError:
            step = "restore the dates (a spreadsheet rewrites them)"
            raise ValueError(f"is no date of the form {meaning}; {step}") from None
        if not FIRST_DAY <= value.date() <= LAST_DAY:
            raise ValueError(f"is outside the range {FIRST_DAY} to {LAST_DAY}; correct the date")
        return value

    return parse


iso_day = day("%Y-%m-%d", "YYYY-MM-DD")
us_day = day("%m/%d/%Y", "M/D/YYYY")

# --- rows ----------------------------------------------------------------------------------------


def find_file(folder: Path, name: str) -> Path:
    """Return the path of one of the files; other files of the folder do not matter.

    Raises
    ------
    FileNotFoundError
        With what the folder holds instead.
    """
    path = Path(folder) / name
    if not path.is_file():
        found = ", ".join(sorted(file.name for file in path.parent.glob("*.csv"))) or "no CSV file"
        raise FileNotFoundError(f"no {name} in {folder} (it has {found}); put it there or {AGAIN}")
    return path


def refuse(path: Path, found: Iterable[str]) -> None:
    """Raise a `DataError` with one line per fault; do nothing if there is none."""
    faults.refuse(f"{path} is not {path.name} as it should be:", found)


def _names(line: str, sep: str = ",") -> list[str]:
    """Read a header without the quirks: ` Affiliates`, `Online.marketing`, a nameless index."""
    names = [name.strip().replace(".", " ") for name in next(csv.reader([line], delimiter=sep), [])]
    return ["" if name == "Unnamed: 0" else name for name in names]


def read_header(path: Path, wanted: Iterable[str]) -> list[str]:
    """Return the columns in the order of the file, spelt as in `wanted`; `""` is its row number.

    Raises
    ------
    DataError
        When the file is empty, has another separator, or not exactly the columns wanted.
    """
    wanted = list(wanted)
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        line = lines.readline(10_000)  # a file of another kind may be one long line
    if not line.strip():
        refuse(path, [f"line 1: the file is empty; {AGAIN}"])
    names = _names(line)
    for other in ";\t|":
        if set(wanted) <= set(_names(line, other)):
            step = f"save it again with ',' or {AGAIN}"
            refuse(path, [f"line 1: columns are separated by {other!r}, not by ','; {step}"])
    missing = ", ".join(repr(name) for name in wanted if name not in names)
    spare = ", ".join(
        repr(name) for name in names if name not in (*wanted, "") or names.count(name) > 1
    )
    faults = [f"no column {missing}"] if missing else []
    faults += [f"unknown or repeated column {spare}"] if spare else []
    if faults:
        refuse(path, [f"line 1: {', but '.join(faults)}; restore the header or {AGAIN}"])
    return names


def read_records(
    path: Path, parsers: Parsers, faults: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and values of every sound row, until there are `ENOUGH_FAULTS`.

    Parameters
    ----------
    path
        Comma-separated file, LF or CRLF; blank lines are skipped.
    parsers
        Exactly the columns that the file must have, and how to read them.
    faults
        Receives what is wrong: line, column, value, next step.

    Raises
    ------
    DataError
        When the header is not that of the file.
    """
    names = read_header(path, parsers)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        line = 1
        try:
            next(reader)
            line = reader.line_num + 1
            for cells in reader:
                if len(cells) == len(names):
                    known = len(faults)
                    row = dict(zip(names, cells, strict=True))
                    values = _parse(row, parsers, line, faults)
                    if len(faults) == known:
                        yield line, values
                elif cells:
                    cut = f"line {line}: {len(cells)} cells, not {len(names)}"
                    faults.append(f"{cut}; truncated? Correct the line or {AGAIN}")
                if len(faults) >= ENOUGH_FAULTS:
                    return
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            faults.append(f"line {line} or after: {error}; truncated or damaged? Then {AGAIN}")


def _parse(row: dict[str, str], parsers: Parsers, line: int, faults: list[str]) -> dict[str, Any]:
    values = {}
    for name, parse in parsers.items():
        try:
            values[name] = parse(row[name])
        except ValueError as fault:
            faults.append(f"line {line}, column {name!r}: {row[name]!r} {fault}")
    return values


def read_rows(path: Path, parsers: Parsers, most: int | None = None) -> pd.DataFrame:
    """Read a file, or its first rows only; the index of the table is the line in the file.

    Raises
    ------
    DataError
        When it has no row or a faulty one.
    """
    faults: list[str] = []
    rows = dict(islice(read_records(path, parsers, faults), most))
    if not rows and not faults:
        faults.append(NO_ROW)
    refuse(path, faults)
    return pd.DataFrame.from_dict(rows, orient="index")


def read_large(
    path: Path,
    parsers: Parsers,
    types: dict[str, str],
    use: Callable[[pd.DataFrame], None],
) -> None:
    """Hand a large file to `use` in chunks; at the first fault, read it again to name the line.

    Parameters
    ----------
    path, parsers
        As for `read_records`.
    types
        The pandas type of each column that is no number; an empty cell is NaN.
    use
        Takes a chunk of rows; raises a `ValueError` when a cell is not what it should be.

    Raises
    ------
    DataError
        When pandas or `use` cannot make sense of the file.
    """
    names = read_header(path, parsers)
    options: dict[str, Any] = {"encoding": "utf-8", "chunksize": CHUNK_ROWS}
    # Every column is read, for pandas overlooks a cell too many when told which ones to use.
    types = dict.fromkeys(names, "float64") | types
    options |= {"header": 0, "names": names, "dtype": types}
    # A blank cell may hold a space.
    options |= {"keep_default_na": False, "na_values": [""], "skipinitialspace": True}
    try:
        with pd.read_csv(path, **options) as chunks:
            for items in chunks:
                use(items)
    except ValueError as error:  # the base of pandas' errors, of decoding and of the checks
        faults: list[str] = []
        for _ in read_records(path, parsers, faults):
            continue
        refuse(path, faults)
        raise DataError(f"{path}: {error}; {AGAIN}") from None


def in_months(path: Path, table: pd.DataFrame, days: pd.Series) -> pd.DataFrame:
    """Put `Month` first and the rows in its order; refuse any but exactly the twelve months.

    Parameters
    ----------
    path
        File, for the message.
    table
        One row per month, index the line of the file.
    days
        First day of the month of each row.

    Raises
    ------
    DataError
        When a month is missing, repeated or outside the range.
    """
    months = pd.date_range(FIRST_DAY, LAST_DAY, freq="MS")
    step = f"give each month from {months[0]:%Y-%m} to {months[-1]:%Y-%m} once"
    lines = days.groupby(days).groups
    faults = []
    for first, at in lines.items():
        where = f"line {', '.join(map(str, at))}, column 'Month': {first:%Y-%m-%d}"
        if first not in months:
            faults.append(f"{where} is outside the range or no first of a month; {step}")
        elif len(at) > 1:
            faults.append(f"{where} is repeated; {step}")
    if absent := [f"{month:%Y-%m}" for month in months if month not in lines]:
        faults.append(f"column 'Month': no row for {', '.join(absent)}; add it or {AGAIN}")
    refuse(path, faults)
    ordered = table.assign(Month=days).sort_values("Month", ignore_index=True)
    return ordered[["Month", *table.columns]]


# --- the files -----------------------------------------------------------------------------------

FIRSTFILE_NUMBERS: Parsers = {  # and their names in the table of `read_firstfile`
    **{"gmv_new": amount, "units": amount, "product_mrp": amount, "discount": number}
}
FIRSTFILE: Parsers = {
    **{"Date": iso_day, "Sales_name": text},
    **FIRSTFILE_NUMBERS,
    **{"product_category": text, "product_subcategory": text, "product_vertical": text},
}


@dataclass(frozen=True)
class DtMartFile:
    """One file, read: its table, the rows of the file, and what to know about it."""

    table: pd.DataFrame
    rows: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstFileFacts:
    """What a firstfile.csv is known by.

    Attributes
    ----------
    rows
        Number of order items.
    first_rows
        The first five, without their row number; dates as YYYY-MM-DD.
    categories
        Order items per product category.
    verticals
        Number of distinct product verticals.
    """

    rows: int
    first_rows: tuple[tuple[str | float, ...], ...]
    categories: dict[str, int]
    verticals: int


@dataclass(frozen=True, kw_only=True)
class FirstFile(DtMartFile):
    """firstfile.csv summed by day, with the facts about its order items."""

    facts: FirstFileFacts


def is_real_firstfile(facts: FirstFileFacts) -> bool:
    """Tell whether these are the published facts: only then may a result be called DT Mart."""
    return (
        facts.rows == REAL_ROWS
        and facts.categories == CATEGORIES
        and facts.verticals == REAL_VERTICALS
        and tuple(row[2:] for row in facts.first_rows) == REAL_FIRST_ROWS
        and facts.first_rows[0][:2] == REAL_START
    )


# --- the two large files -------------------------------------------------------------------------


def read_firstfile(folder: Path) -> FirstFile:
    """Read firstfile.csv, one row per order item, and sum it by day.

    Equal rows are kept: two customers may buy the same product on the same day.

    Returns
    -------
    FirstFile
        Table of shape (days with an order item, 5), index Date in order: gmv_new, product_mrp,
        discount (INR), units and rows (order items). At the real size about 2 s and 150 MB.

    Raises
    ------
    FileNotFoundError
        When the folder has no such file.
    DataError
        When it is not that file, or does not reach from the first day to the last.
    """
    path = find_file(folder, "firstfile.csv")
    head = read_rows(path, FIRSTFILE, most=5)
    categories: Counter[str] = Counter()
    verticals: set[str] = set()
    days: list[pd.DataFrame] = []

    def use(items: pd.DataFrame) -> None:
        days.append(_sums_by_day(items))
        categories.update(items["product_category"].value_counts().to_dict())
        verticals.update(items["product_vertical"].cat.categories)

    texts = [name for name in FIRSTFILE if name not in FIRSTFILE_NUMBERS]
    read_large(path, FIRSTFILE, dict.fromkeys(texts, "category"), use)
    daily = pd.concat(days).groupby(level=0).sum()  # a chunk may end within a day
    daily = daily.astype({"units": "int64", "rows": "int64"})
    rows = int(daily["rows"].sum())
    full = f"{path.name}: {rows:,} rows, as many as a spreadsheet keeps; later ones are lost"
    cut = (full,) if rows == SPREADSHEET_ROWS else ()
    if (daily.index[0].date(), daily.index[-1].date()) != (FIRST_DAY, LAST_DAY):
        span = f"holds {daily.index[0]:%Y-%m-%d} to {daily.index[-1]:%Y-%m-%d}"
        what = f"line {rows + 1}, column 'Date': the file ends here and {span}"
        hint = "".join(f" ({warning})" for warning in cut)
        refuse(path, [f"{what}, not {FIRST_DAY} to {LAST_DAY}{hint}; truncated? Then {AGAIN}"])
    rows_of = head.itertuples(index=False, name=None)
    first = tuple((f"{day:%Y-%m-%d}", *cells) for day, *cells in rows_of)
    facts = FirstFileFacts(rows, first, dict(categories), len(verticals))
    return FirstFile(table=daily, rows=rows, warnings=cut, facts=facts)


def _sums_by_day(items: pd.DataFrame) -> pd.DataFrame:
    amounts = items[list(FIRSTFILE_NUMBERS)]
    low = amounts.drop(columns="discount").min(axis=None)
    if items[[*FIRSTFILE]].isna().any(axis=None) or not (
        np.isfinite(amounts).all(axis=None) and low >= 0
    ):
        raise ValueError("a cell is empty, negative or not finite")
    days = items["Date"].cat.rename_categories(iso_day)
    sums = amounts.assign(rows=1).groupby(days, observed=True).sum()
    return sums.set_axis(pd.DatetimeIndex(sums.index, name="Date"))


# --- the five small files ------------------------------------------------------------------------


def read_media_investment(folder: Path) -> DtMartFile:
    """Read MediaInvestment.csv: spend per month and channel.

    Returns
    -------
    DtMartFile
        Table of shape (12, 11): Month (its first day), Total Investment and `CHANNELS` in INR
        (the file has crore), rounded to rupees. Empty cells of Radio and Other are NaN.
    """
    path = find_file(folder, "MediaInvestment.csv")
    parsers: Parsers = {"Year": whole, "Month": whole, "Total Investment": crore}
    parsers |= {name: _sparse(crore, name) for name in CHANNELS}
    raw = read_rows(path, parsers)
    inside = raw["Month"].between(1, 12) & raw["Year"].between(FIRST_DAY.year, LAST_DAY.year)
    step = f"is outside the range {FIRST_DAY:%Y-%m} to {LAST_DAY:%Y-%m}; correct the row"
    outside = raw[~inside].iterrows()
    refuse(
        path,
        [f"line {at}, column 'Month': {r.Year:.0f}-{r.Month:.0f} {step}" for at, r in outside],
    )
    off = (raw[list(CHANNELS)].sum(axis=1) - raw["Total Investment"]).abs() / CRORE
    warnings = tuple(
        f"{path.name}, line {at}: channels and 'Total Investment' differ by {gap:.1f} crore, more "
        "than by rounding; check the row"
        for at, gap in off[off > ROUNDING].items()
    )
    days = pd.to_datetime(raw[["Year", "Month"]].assign(Day=1))
    table = in_months(path, raw.drop(columns=["Year", "Month"]), days)
    return DtMartFile(table, len(table), warnings)


def _sparse(parse: Parser, channel: str) -> Parser:
    return or_nothing(parse) if channel in SPARSE_CHANNELS else parse


def read_second_file(folder: Path) -> DtMartFile:
    """Read Secondfile.csv: months in R's style, out of order, with `NA` for empty.

    Returns
    -------
    DtMartFile
        Table of shape (12, 36): Month, revenue, units, MRP and discount per category and in
        total (`total_gmv`, ...), Total Investment, `CHANNELS` and NPS; money in INR.
    """
    path = find_file(folder, "Secondfile.csv")
    parsers: Parsers = {"Date": iso_day, "month": text, "Year": whole, "Month": whole}
    for kind, total in {"Revenue": "gmv", "Units": "Units", "Mrp": "Mrp"}.items():
        parsers |= {f"{kind}_{name}": amount for name in CATEGORIES} | {f"total_{total}": amount}
    parsers |= {f"Discount_{name}": number for name in CATEGORIES} | {"total_Discount": number}
    parsers |= {"Total Investment": amount, "NPS": score}
    parsers |= {name: _sparse(amount, name) for name in CHANNELS}
    raw = read_rows(path, parsers)
    table = in_months(path, raw.drop(columns=["Date", "month", "Year", "Month"]), raw["Date"])
    return DtMartFile(table, len(table))


def read_nps(folder: Path) -> DtMartFile:
    """Read MonthlyNPSscore.csv (M/D/YYYY): table of shape (12, 2), Month and NPS (points)."""
    path = find_file(folder, "MonthlyNPSscore.csv")
    raw = read_rows(path, {"Date": us_day, "NPS": score})
    table = in_months(path, raw[["NPS"]], raw["Date"])
    return DtMartFile(table, len(table))


def read_special_sales(folder: Path) -> DtMartFile:
    """Read SpecialSale.csv (M/D/YYYY): table of shape (44, 2), Date and Sales Name by sale day."""
    path = find_file(folder, "SpecialSale.csv")
    table = read_rows(path, {"Date": us_day, "Sales Name": text})
    again = table.loc[table["Date"].duplicated(), "Date"].items()
    refuse(path, [f"line {at}, column 'Date': {day:%Y-%m-%d} again; drop it" for at, day in again])
    if len(table) != SALE_DAYS:
        end = f"line {table.index[-1]}, column 'Date': the file ends here"
        what = f"{end} with {len(table)} sale days, not {SALE_DAYS}"
        refuse(path, [f"{what}; truncated? Then {AGAIN}"])
    return DtMartFile(table.sort_values("Date", ignore_index=True), len(table))
