"""Cells and rows of the DT Mart files: read strictly, each fault with line, column and next step.

A cell is read by what its column really holds (crore, M/D/YYYY, `NA`); nothing is ever guessed.
"""

import csv
import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.tables.contract import DataError

FIRST_DAY, LAST_DAY = dt.date(2015, 7, 1), dt.date(2016, 6, 30)
SALES_DAYS = (dt.date(2015, 5, 1), dt.date(2016, 7, 31))  # Sales.csv has a few stray rows
CRORE = 10_000_000  # INR
CRORE_MAX = 10_000.0  # a month's spend above this is in INR already
ENOUGH_FAULTS = 5  # a file of another kind has one in every row
CHUNK_ROWS = 200_000  # of a large file at a time
AGAIN = "download the data set again"
NO_ROW = f"line 2: no row after the header; truncated? Then {AGAIN}"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COUNT = re.compile(r"\d+|\d{1,3}(,\d{3})+")
type Parser = Callable[[str], Any]  # cell -> value, or ValueError: what is wrong; what to do
type Parsers = dict[str, Parser]  # by column

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


def count(cell: str) -> int:
    """Read a count with or without thousands separators."""
    if not COUNT.fullmatch(cell.strip()):
        raise ValueError("is not a count such as 1,648,824; correct it")
    return int(cell.replace(",", ""))


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


def day(form: str, meaning: str, first: dt.date = FIRST_DAY, last: dt.date = LAST_DAY) -> Parser:
    """Return a parser of dates of one form, which must be within `first` and `last`."""

    @lru_cache(maxsize=4096)  # order items of one day stand together
    def parse(cell: str) -> dt.datetime:
        try:
            value = dt.datetime.strptime(cell, form)
        except ValueError:
            step = "restore the dates (a spreadsheet rewrites them)"
            raise ValueError(f"is no date of the form {meaning}; {step}") from None
        if not first <= value.date() <= last:
            raise ValueError(f"is outside the range {first} to {last}; correct the date")
        return value

    return parse


iso_day = day("%Y-%m-%d", "YYYY-MM-DD")
us_day = day("%m/%d/%Y", "M/D/YYYY")
minute = day("%d-%m-%Y %H:%M", "DD-MM-YYYY HH:MM", *SALES_DAYS)  # never month-first

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


def refuse(path: Path, faults: Iterable[str]) -> None:
    """Raise a `DataError` with one line per fault; do nothing if there is none."""
    if lines := "".join(f"\n- {fault}" for fault in faults):
        raise DataError(f"{path} is not {path.name} as it should be:{lines}")


def _names(line: str, sep: str) -> list[str]:
    """Read a header without the quirks: ` Affiliates`, `Online.marketing`, a nameless index."""
    names = [name.strip().replace(".", " ") for name in next(csv.reader([line], delimiter=sep), [])]
    return ["" if name == "Unnamed: 0" else name for name in names]


def read_header(path: Path, wanted: Iterable[str], sep: str) -> list[str]:
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
    names = _names(line, sep)
    for other in ",;\t|":
        if other != sep and set(wanted) <= set(_names(line, other)):
            step = f"save it again with {sep!r} or {AGAIN}"
            refuse(path, [f"line 1: columns are separated by {other!r}, not by {sep!r}; {step}"])
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
    path: Path, parsers: Parsers, faults: list[str], sep: str = ","
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and values of every sound row, until there are `ENOUGH_FAULTS`.

    Parameters
    ----------
    path
        Comma-separated file (or `sep`), LF or CRLF; blank lines are skipped.
    parsers
        Exactly the columns that the file must have, and how to read them.
    faults
        Receives what is wrong: line, column, value, next step.

    Raises
    ------
    DataError
        When the header is not that of the file.
    """
    names = read_header(path, parsers, sep)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, delimiter=sep, strict=True)
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


def read_rows(path: Path, parsers: Parsers) -> pd.DataFrame:
    """Read a file of a few rows; the index of the table is the line in the file.

    Raises
    ------
    DataError
        When it has no row or a faulty one.
    """
    faults: list[str] = []
    rows = dict(read_records(path, parsers, faults))
    if not rows and not faults:
        faults.append(NO_ROW)
    refuse(path, faults)
    return pd.DataFrame.from_dict(rows, orient="index")


def read_first_rows(path: Path, parsers: Parsers, sep: str = ",") -> list[dict[str, Any]]:
    """Return the first five rows; refuse a file that has none or a faulty one among them."""
    faults: list[str] = []
    head = [row for _, row in islice(read_records(path, parsers, faults, sep), 5)]
    if not head and not faults:
        faults.append(NO_ROW)
    refuse(path, faults)
    return head


def read_large(
    path: Path,
    parsers: Parsers,
    types: dict[str, str],
    use: Callable[[pd.DataFrame], None],
    sep: str = ",",
) -> None:
    """Hand a large file to `use` in chunks; at the first fault, read it again to name the line.

    Parameters
    ----------
    path, parsers, sep
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
    names = read_header(path, parsers, sep)
    options: dict[str, Any] = {"sep": sep, "encoding": "utf-8", "chunksize": CHUNK_ROWS}
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
        for _ in read_records(path, parsers, faults, sep):
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
