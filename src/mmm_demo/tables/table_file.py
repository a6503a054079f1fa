"""CSV files as people have them: read cell by cell, or refused with what the file is."""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.tables.faults import DataError
from mmm_demo.tables.number_cells import DECIMAL, Form, shapes, to_values

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", ",": "commas"}
SETTING = {";": "';'", "\t": '"\\t"', "|": "'|'", ",": "','"}
SAVE = "save it as CSV UTF-8 (comma delimited), and give that file"
EXCEL = (
    "pd.read_excel({path!r}, dtype=object).to_csv({new!r}, index=False), where pandas has openpyxl"
)
MAGIC = {
    b"\xd0\xcf\x11\xe0": f"an Excel workbook (.xls, or one with a password): open it and {SAVE}",
    b"PAR1": "a Parquet file: pd.read_parquet({path!r}).to_csv({new!r}, index=False)",
    b"%PDF": "a PDF: export the table as CSV",
    b"\x1f\x8b": "compressed (gzip): unpack it",
    b"\x89HDF": "an HDF5 file: export the table as CSV",
    b"SQLite": "an SQLite database: export the table as CSV",
}
SHEET = "xl/workbook.xml", "content.xml", "xl/workbook.bin"
ROWS_SEEN = 50
HEADER_SHOWN = 60


def read_csv(
    path: Path, decimal: str = ".", separator: str = ",", offered: bool = True
) -> pd.DataFrame:
    """Read a weekly table, cells as they are: what is exactly a number is one, the rest is text.

    Parameters
    ----------
    path
        CSV file in UTF-8, with or without a byte order mark.
    decimal, separator
        How it writes decimals and separates cells.
    offered
        Whether messages may offer to change these settings.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DataError
        When it is no CSV file, or one of another form; says what it is and what to do.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no data file {path}; put it there or change data.path in the experiment file"
        )
    text = read_text(path)
    _require_separator(text, path, decimal, separator, offered)
    table = _parsed(path, text, separator, numbered=True, decimal=decimal, na_values=[""])
    for name in range(table.shape[1]):
        column = table.iloc[:, name]
        if not pd.api.types.is_numeric_dtype(column):
            values = pd.Series(to_values(column, decimal), index=table.index, dtype=object)
            table.isetitem(name, values.infer_objects())
    return table


def read_texts(path: Path, columns: Collection[str]) -> pd.DataFrame:
    """Read a CSV file whose columns are known, all cells as text.

    Parameters
    ----------
    path
        CSV file in UTF-8.
    columns
        They tell what separates the cells.

    Raises
    ------
    DataError
        When it is no CSV file; says what it is and what to do.
    """
    text = read_text(path)
    headers = {sign: {*_rows(text, sign, 1)[0][1]} for sign in SEPARATORS if text.strip()}
    sign = next((sign for sign, names in headers.items() if names == {*columns}), ",")
    return _parsed(path, text, sign, numbered=False, dtype=str).reset_index(drop=True)


def _parsed(path: Path, text: str, sign: str, *, numbered: bool, **options: Any) -> pd.DataFrame:
    """Return the cells of a file, or say which line is no row of a table.

    An empty cell and a word for one, like NA, are told apart: a message shows what is there.
    """
    try:
        table = pd.read_csv(path, sep=sign, encoding="utf-8-sig", keep_default_na=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        raise DataError(f"{path} is not a readable CSV file: {_why_not(text, sign)}") from None
    _require_header_as_wide(table, text, path, sign, numbered)
    return table


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8.

    Raises
    ------
    DataError
        When it is something else; says what, and what to do.
    """
    content = path.read_bytes()
    new = f"{path.stem}_utf8.csv"
    if what := _what_else(content, path):
        told = what.format(path=path.name, new=new)
        raise DataError(f"{path} is not a readable CSV file: it is {told}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        told = _encoding(content, error, path.name, new)
        raise DataError(f"{path} is not a readable CSV file: {told}") from None


def _what_else(content: bytes, path: Path) -> str:
    """Return what a file is that is no text, with the step; empty for text."""
    if content.startswith(b"PK\x03\x04"):
        with io.BytesIO(content) as file:
            names = zipfile.ZipFile(file).namelist() if zipfile.is_zipfile(file) else []
        if {*names} & {*SHEET}:
            return f"an Excel workbook: open it and {SAVE}, or {EXCEL}"
        return "a zip archive: unpack it and give the CSV file in it"
    for magic, what in MAGIC.items():
        if content.startswith(magic):
            return what
    start = content[:200].lstrip().lower()
    if start.startswith((b"<html", b"<!doctype", b"<?xml", b"<table")):
        return (
            f"a web page or XML, whatever its name ends with: open it in a spreadsheet and {SAVE}"
        )
    if start.startswith((b"{", b"[")):
        return "JSON: pd.read_json({path!r}).to_csv({new!r}, index=False)"
    return ""


def _encoding(content: bytes, error: UnicodeDecodeError, name: str, new: str) -> str:
    """Say in which encoding a text is, as far as it shows, and how to convert it."""
    # Text in UTF-16 has a zero in every other byte of a Latin letter.
    even, odd = content[:2000:2].count(0), content[1:2000:2].count(0)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or max(even, odd) > len(content[:2000]) // 4:
        endless = "utf-16-be" if even > odd else "utf-16-le"
        marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        codec, what = "utf-16" if marked else endless, "UTF-16 text (Excel's 'Unicode Text')"
    else:
        codec, what = "cp1252", "not UTF-8, perhaps Windows-1252"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        place = f"byte {error.object[error.start]:#x} at {error.start}"
        return f"it is in no encoding that is known ({place}): {SAVE}"
    lines = text.lstrip("\ufeff").splitlines()
    shown = next((line for line in lines if not line.isascii()), "")[:HEADER_SHOWN]
    separator = _separator_of(text, ",")
    options = f"encoding={codec!r}, sep={separator!r}, dtype=str, keep_default_na=False"
    code = f"pd.read_csv({name!r}, {options}).to_csv({new!r}, index=False)"
    seen = f"; it then has {shown!r}" if codec == "cp1252" else ""
    apart = f", separated by {SEPARATORS[separator]}" if separator != "," else ""
    return f"it is {what}{apart}{seen}: {SAVE}, or {code}"


def _rows(text: str, separator: str, most: int | None = ROWS_SEEN) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not blank, with the line that each ends in."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=separator)
    return list(islice(((reader.line_num, row) for row in reader if "".join(row).strip()), most))


def _separator_of(text: str, separator: str) -> str:
    """Return what separates the cells: the given one, unless another alone makes a table."""

    def width(sign: str) -> int:
        """Return how many cells all rows have; 1 where their number differs."""
        counts = Counter(len(row) for _, row in _rows(text, sign))
        return next(iter(counts)) if len(counts) == 1 else 1

    header = _rows(text, separator, 1)
    if not header or width(separator) > 1:
        return separator
    best = max(SEPARATORS, key=width)
    alone = len(header[0][1]) == 1 or width(best) > len(header[0][1])
    return best if width(best) > 1 and alone else separator


def _require_separator(text: str, path: Path, decimal: str, separator: str, offered: bool) -> None:
    first, _, rest = text.partition("\n")
    if first.strip().casefold().startswith("sep=") and rest:
        step = "remove that line"
        used = first.strip()[4:] or "\t"
        if used != separator and used in SETTING:
            step += f" and set data.separator: {SETTING[used]}" if offered else f" and {SAVE}"
        raise DataError(f"{path} begins with the line {first.strip()!r}, for Excel only: {step}")
    found = _separator_of(text, separator)
    if found == separator:
        return
    columns = zip(*(row for _, row in _rows(text, found)[1:]), strict=False)
    comma = decimal == "." and any(DECIMAL in shapes(column, Form()) for column in columns)
    commas = " with decimal commas" if comma else ""
    settings = f"data.separator: {SETTING[found]}" + " and data.decimal: ','" * comma
    step = f"set {settings}" if offered else f"{SAVE}: commas between cells, points in numbers"
    raise DataError(f"{path} is separated by {SEPARATORS[found]}{commas}: {step}")


def _why_not(text: str, separator: str) -> str:
    """Say which line is no row of the table."""
    rows = _rows(text, separator, None)
    if not rows:
        return "it is empty"
    start, header = rows[0]
    wide = [(line, row) for line, row in rows if len(row) > len(header)]
    if not wide:
        return 'a quote is opened and never closed; look for a single " in it'
    line, row = wide[0]
    counted = f"line {line} has {len(row)} cells, and line {start} {len(header)}"
    if not any(sign.isdigit() for sign in separator.join(row)):
        return f"{counted}; if line {line} is the header, remove the lines above it"
    step = 'put quotes around a cell with a separator in it ("940,9")'
    if len(row) == len(header) + 1 and not row[-1]:
        step = "a row may end in a separator only where the header does"
    return f"{counted}: {_shown(row, separator)}; {step}"


def _shown(row: Sequence[str], separator: str) -> str:
    text = separator.join(row)
    return repr(text if len(text) <= HEADER_SHOWN else f"{text[:HEADER_SHOWN]}...")


def _require_header_as_wide(
    table: pd.DataFrame, text: str, path: Path, separator: str, numbered: bool
) -> None:
    """Refuse rows with more cells than the header has: pandas would shift them without a word.

    R writes row names under no header; where they count rows they may be left out, as pandas does.
    """
    if isinstance(table.index, pd.RangeIndex):
        return
    names = [str(name) for name in table.index]
    counts = any(names == [str(row + first) for row in range(len(names))] for first in (0, 1))
    if not (numbered and counts):
        raise DataError(f"{path} is not a readable CSV file: {_why_not(text, separator)}")
