"""The seven DT Mart files: every quirk survived, everything else refused by line and column."""

import csv
import subprocess
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import PYTHON
from lookalike import write_lookalike
from mmm_demo.settings.dt_mart_options import CHANNELS
from mmm_demo.sources import dt_mart_files as files
from mmm_demo.sources.dt_mart_files import (
    FirstFileFacts,
    crore,
    is_real_firstfile,
    or_nothing,
    us_day,
)
from mmm_demo.tables.faults import DataError

READERS = {
    "MediaInvestment.csv": files.read_media_investment,
    "MonthlyNPSscore.csv": files.read_nps,
    "Secondfile.csv": files.read_second_file,
    "SpecialSale.csv": files.read_special_sales,
    "firstfile.csv": files.read_firstfile,
}
TOTALS = {  # crore, of the twelve months
    "TV": 44.4,
    "Digital": 29.8,
    "Sponsorship": 365.4,
    "Content Marketing": 8.0,
    "Online marketing": 193.7,
    "Affiliates": 61.4,
    "SEM": 91.1,
    "Radio": 4.7,
    "Other": 48.0,
}
every_file = pytest.mark.parametrize("name", READERS)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lookalike(tmp_path_factory.getbasetemp() / "dt_mart")


def text_of(path: Path) -> str:
    return path.read_bytes().decode()


def refusal(name: str, content: str | bytes, folder: Path) -> str:
    """Write one file and return the message with which its reader refuses it."""
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        READERS[name](folder)
    message = str(caught.value)
    assert str(folder / name) in message
    steps = ("download", "correct", "restore", "save it again", "give ", "drop it", "add it")
    assert any(step in message for step in steps), f"no next step: {message}"
    return message


def change(folder: Path, name: str, line: int, old: str, new: str) -> str:
    """Return the text of a file with one change in one line."""
    lines = text_of(folder / name).splitlines(keepends=True)
    assert old in lines[line - 1], lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    return "".join(lines)


# --- quirks of the small files ------------------------------------------------------------------


def test_media_investment_is_read_in_rupees(folder: Path) -> None:
    assert ", Affiliates," in text_of(folder / "MediaInvestment.csv"), "the quirk is gone"
    read = files.read_media_investment(folder)
    table = read.table
    assert [*table] == ["Month", "Total Investment", *CHANNELS]
    assert table["Month"].tolist() == [*pd.date_range("2015-07-01", periods=12, freq="MS")]
    for channel, total in TOTALS.items():
        assert table[channel].sum() == round(total * 10) * 1e6, channel
    money = table[[*CHANNELS]].to_numpy()
    assert not np.any(money[~np.isnan(money)] % 1e6), "one decimal of a crore is a million"
    assert table[[*CHANNELS]].isna().sum().loc[lambda n: n > 0].to_dict() == {
        "Radio": 9,
        "Other": 9,
    }
    assert read.warnings == (), "differences of up to 0.2 crore are rounding"
    assert read.rows == 12


def test_total_that_is_not_the_sum_is_warned_about(folder: Path, tmp_path: Path) -> None:
    content = change(folder, "MediaInvestment.csv", 4, "62.8", "628")
    (tmp_path / "MediaInvestment.csv").write_text(content)
    (warning,) = files.read_media_investment(tmp_path).warnings
    assert "MediaInvestment.csv, line 4" in warning
    assert "'Total Investment' differ by 565.2 crore" in warning


def test_unrounded_crore_become_whole_rupees() -> None:
    assert [crore("0.000933"), crore("16.4"), crore("0")] == [9330.0, 164_000_000.0, 0.0]
    assert np.isnan(or_nothing(crore)("NA"))
    assert np.isnan(or_nothing(crore)(" "))


def test_second_file_is_put_in_order_and_agrees_with_media_and_nps(folder: Path) -> None:
    raw = (folder / "Secondfile.csv").read_bytes()
    assert raw.startswith(b'"","month"'), "the quirk is gone"
    assert b"\r\n" in raw
    assert raw.index(b"2016-01-01") < raw.index(b"2015-07-01")
    table = files.read_second_file(folder).table
    assert table.shape == (12, 36)
    media, nps = files.read_media_investment(folder).table, files.read_nps(folder).table
    same = ["Month", "Total Investment", *CHANNELS]
    pd.testing.assert_frame_equal(table[same], media[same])
    assert table["NPS"].tolist() == nps["NPS"].tolist()
    for total, part in {"total_gmv": "Revenue_", "total_Mrp": "Mrp_"}.items():
        parts = table[[name for name in table if name.startswith(part)]]
        np.testing.assert_allclose(parts.sum(axis=1), table[total], atol=1)
    assert table["total_gmv"].round().astype(int).tolist()[:2] == [176_937_162, 419_196]
    np.testing.assert_allclose(
        table["total_Mrp"] - table["total_gmv"], table["total_Discount"], atol=1
    )


def test_nps_is_read_month_first(folder: Path) -> None:
    assert "\n10/1/2015," in text_of(folder / "MonthlyNPSscore.csv")
    table = files.read_nps(folder).table
    assert table["Month"].tolist() == [*pd.date_range("2015-07-01", periods=12, freq="MS")]
    assert table["NPS"].tolist()[:4] == [54.6, 60.0, 46.9, 44.4]


def test_special_sales_are_read_month_first(folder: Path) -> None:
    table = files.read_special_sales(folder).table
    assert [*table] == ["Date", "Sales Name"]
    assert table["Sales Name"].nunique() == 12
    per_month = table["Date"].dt.strftime("%Y-%m").value_counts().to_dict()
    assert per_month == {
        **{"2015-07": 2, "2015-08": 6, "2015-10": 3, "2015-11": 8, "2015-12": 7},
        **{"2016-01": 6, "2016-02": 6, "2016-03": 3, "2016-05": 3},
    }
    assert table["Date"].is_monotonic_increasing
    assert us_day("7/8/2015") == datetime(2015, 7, 8)


# --- the two large files ------------------------------------------------------------------------


def test_firstfile_is_summed_by_day(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = pd.read_csv(folder / "firstfile.csv")
    assert raw.columns[0] == "Unnamed: 0", "the quirk is gone"
    assert text_of(folder / "firstfile.csv").count("\r\n") == len(raw) + 1
    read = files.read_firstfile(folder)
    names = ["gmv_new", "units", "product_mrp", "discount"]
    by_day = raw.groupby(pd.to_datetime(raw["Date"]))
    pd.testing.assert_frame_equal(read.table[names], by_day[names].sum(), check_index_type=False)
    assert read.table["rows"].tolist() == by_day.size().tolist()
    assert len(read.table) == 360
    assert read.rows == read.facts.rows == len(raw)
    assert read.facts.categories == raw["product_category"].value_counts().to_dict()
    assert read.facts.verticals == raw["product_vertical"].nunique()
    assert read.facts.first_rows[4][-1] == raw["product_vertical"][4]
    monkeypatch.setattr("mmm_demo.sources.dt_mart_files.CHUNK_ROWS", 777)  # ends within days
    again = files.read_firstfile(folder)
    assert again.facts == read.facts
    pd.testing.assert_frame_equal(again.table, read.table)


def test_equal_rows_and_any_order_of_firstfile_count(folder: Path, tmp_path: Path) -> None:
    header, *rows = text_of(folder / "firstfile.csv").splitlines()
    before = files.read_firstfile(folder)
    twice = [header, *reversed(rows), rows[100]]
    (tmp_path / "firstfile.csv").write_text("\n".join(twice) + "\n\n")  # LF, a blank line
    after = files.read_firstfile(tmp_path)
    assert after.rows == before.rows + 1
    more = (after.table - before.table).sum()
    assert more["rows"] == 1
    assert more["gmv_new"] == pytest.approx(float(rows[100].split(",")[3]), abs=1e-3)


def test_rows_lost_in_a_spreadsheet_are_warned_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.SPREADSHEET_ROWS == 2**20 - 1
    rows = files.read_firstfile(folder).rows
    monkeypatch.setattr(files, "SPREADSHEET_ROWS", rows)
    (warning,) = files.read_firstfile(folder).warnings
    what = f"firstfile.csv: {rows:,} rows, as many as a spreadsheet keeps"
    assert warning == f"{what}; later ones are lost"


# --- real or look-alike -------------------------------------------------------------------------

REAL = FirstFileFacts(
    rows=1_578_079,
    first_rows=tuple(("2015-07-01", "No Promotion", *row) for row in files.REAL_FIRST_ROWS),
    categories=dict(files.CATEGORIES),
    verticals=72,
)


def test_the_published_facts_are_real() -> None:
    assert is_real_firstfile(REAL)
    assert sum(REAL.categories.values()) == REAL.rows


@pytest.mark.parametrize(
    "other",
    [
        {"rows": 1_578_080},
        {"verticals": 14},
        {"categories": REAL.categories | {"Camera": 99_302}},
        {"first_rows": REAL.first_rows[:4]},
        {"first_rows": ()},
        {"first_rows": REAL.first_rows[::-1]},
        {"first_rows": (("2015-07-02", *REAL.first_rows[0][1:]), *REAL.first_rows[1:])},
    ],
)
def test_one_fact_off_is_a_lookalike(other: dict) -> None:
    assert not is_real_firstfile(replace(REAL, **other))


def test_the_published_first_rows_are_recognised_in_a_file(folder: Path, tmp_path: Path) -> None:
    assert not is_real_firstfile(files.read_firstfile(folder).facts)
    header, *rows = text_of(folder / "firstfile.csv").splitlines()
    with (tmp_path / "firstfile.csv").open("w", newline="") as out:
        out.write(header + "\r\n")
        writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows((str(i), *row) for i, row in enumerate(REAL.first_rows, start=1))
        out.write("\r\n".join(rows) + "\r\n")
    facts = files.read_firstfile(tmp_path).facts
    assert facts.first_rows == REAL.first_rows
    assert is_real_firstfile(replace(REAL, first_rows=facts.first_rows))


# --- what is refused ----------------------------------------------------------------------------


@every_file
def test_missing_file_names_itself_and_what_is_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "a_sales.csv").write_text("Week,Sales\n2024-01-01,3\n")
    (tmp_path / name.replace(".csv", ".CSV.txt")).touch()
    with pytest.raises(FileNotFoundError) as caught:
        READERS[name](tmp_path)
    message = str(caught.value)
    assert f"no {name} in {tmp_path}" in message
    assert "it has a_sales.csv" in message
    assert "download the data set again" in message
    with pytest.raises(FileNotFoundError, match="no CSV file"):
        READERS[name](tmp_path / "nowhere")


@every_file
def test_other_files_of_the_folder_do_not_matter(name: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to(folder / name)
    for other in ("0.csv", "firstfile (1).csv", "weekly.csv"):
        (tmp_path / other).write_text("Date,gmv_new\n2015-07-01,1\n")
    assert READERS[name](tmp_path).rows == READERS[name](folder).rows


@every_file
def test_empty_file(name: str, folder: Path, tmp_path: Path) -> None:
    assert "line 1: the file is empty; download" in refusal(name, "", tmp_path)
    header = text_of(folder / name).splitlines(keepends=True)[0]
    message = refusal(name, header, tmp_path)
    assert "line 2: no row after the header; truncated?" in message


@every_file
def test_file_of_another_kind(name: str, folder: Path, tmp_path: Path) -> None:
    other = "SpecialSale.csv" if name != "SpecialSale.csv" else "ProductList.csv"
    message = refusal(name, (folder / other).read_bytes(), tmp_path)
    assert "line 1: no column" in message


@every_file
def test_renamed_column(name: str, folder: Path, tmp_path: Path) -> None:
    content = text_of(folder / name)
    header = content.splitlines()[0]
    column = header.split(",")[-1].strip('"')
    renamed = header.removesuffix('"').removesuffix(column) + "Renamed" + '"' * header.endswith('"')
    message = refusal(name, content.replace(header, renamed, 1), tmp_path)
    assert f"line 1: no column '{column}', but unknown or repeated column 'Renamed'" in message
    assert "restore the header" in message


@every_file
def test_wrong_separator(name: str, folder: Path, tmp_path: Path) -> None:
    content = text_of(folder / name).replace(",", ";")
    message = refusal(name, content, tmp_path)
    assert "line 1: columns are separated by ';', not by ','" in message


@every_file
def test_file_cut_within_a_row(name: str, folder: Path, tmp_path: Path) -> None:
    content = text_of(folder / name)
    last = content.count("\n")
    cut = content[: content.rstrip().rindex(",")]
    message = refusal(name, cut, tmp_path)
    assert f"line {last}: " in message
    assert "truncated?" in message


@every_file
def test_file_cut_after_a_row(name: str, folder: Path, tmp_path: Path) -> None:
    lines = text_of(folder / name).splitlines(keepends=True)
    keep = len(lines) // 2
    message = refusal(name, "".join(lines[:keep]), tmp_path)
    if name in ("MediaInvestment.csv", "MonthlyNPSscore.csv", "Secondfile.csv"):
        assert "column 'Month': no row for " in message
    else:
        assert f"line {keep}, column 'Date'" in message
        assert "truncated?" in message


def test_firstfile_cut_by_a_spreadsheet_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = text_of(folder / "firstfile.csv").splitlines(keepends=True)
    monkeypatch.setattr(files, "SPREADSHEET_ROWS", 5_000)
    message = refusal("firstfile.csv", "".join(lines[:5_001]), tmp_path)
    assert "line 5001, column 'Date': the file ends here and holds 2015-07-01 to" in message
    assert "as many as a spreadsheet keeps" in message


def test_quote_that_is_never_closed(folder: Path, tmp_path: Path) -> None:
    content = text_of(folder / "firstfile.csv")
    message = refusal("firstfile.csv", content[: content.rindex('"')], tmp_path)
    assert f"line {content.count(chr(10))} or after: unexpected end of data" in message


@every_file
def test_file_that_is_not_utf8(name: str, folder: Path, tmp_path: Path) -> None:
    content = text_of(folder / name)
    assert "line 1: " in refusal(name, content.encode("utf-16"), tmp_path)
    lines = content.encode().splitlines(keepends=True)
    lines[-2] = lines[-2].replace(b"a", b"\xe4", 1).replace(b"0", b"\xe4", 1)
    assert "can't decode byte 0xe4" in refusal(name, b"".join(lines), tmp_path)


@every_file
def test_header_with_byte_order_mark(name: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes())
    assert READERS[name](tmp_path).rows == READERS[name](folder).rows


BAD_CELLS = [
    ("MediaInvestment.csv", 4, "3.9,", "-3.9,", "line 4, column 'TV': '-3.9' is negative"),
    ("MediaInvestment.csv", 4, "3.9,", ",", "line 4, column 'TV': '' is not a plain number"),
    ("MediaInvestment.csv", 4, "3.9,", "3.9 cr,", "line 4, column 'TV': '3.9 cr' is not a plain"),
    ("MediaInvestment.csv", 4, "3.9,", "39000000,", "line 4, column 'TV': '39000000' is too much"),
    ("MediaInvestment.csv", 4, "3.9,", "inf,", "line 4, column 'TV': 'inf' is not a plain number"),
    ("MediaInvestment.csv", 4, "3.9,", "3,9,", "line 4: 13 cells, not 12"),
    ("MediaInvestment.csv", 8, ",2.7,", ",-2.7,", "line 8, column 'Radio': '-2.7' is negative"),
    ("MediaInvestment.csv", 4, "2015,9", "2015,13", "line 4, column 'Month': 2015-13 is outside"),
    ("MediaInvestment.csv", 4, "2015,9", "2014,9", "line 4, column 'Month': 2014-9 is outside"),
    ("MediaInvestment.csv", 4, "2015,9", "2015,2", "line 4, column 'Month': 2015-02-01 is outside"),
    ("MediaInvestment.csv", 4, "2015,9", "2015,10", "line 4, 5, column 'Month': 2015-10-01 is rep"),
    (
        "MediaInvestment.csv",
        4,
        "2015,9",
        "2015,9.5",
        "line 4, column 'Month': '9.5' is not a whole",
    ),
    ("Secondfile.csv", 3, "2016-02-01", "2016-02-02", "line 3, column 'Month': 2016-02-02 is out"),
    ("Secondfile.csv", 3, "2016-02-01", "2/1/2016", "line 3, column 'Date': '2/1/2016' is no date"),
    ("Secondfile.csv", 3, "154998880", "-154998880", "line 3, column 'Revenue_Camera': '-15499"),
    ("MonthlyNPSscore.csv", 3, "8/1/2015", "13/1/2015", "line 3, column 'Date': '13/1/2015' is no"),
    ("MonthlyNPSscore.csv", 3, "8/1/2015", "8/1/2014", "line 3, column 'Date': '8/1/2014' is outs"),
    ("MonthlyNPSscore.csv", 3, "60", "600", "line 3, column 'NPS': '600' is no promoter score"),
    ("SpecialSale.csv", 2, "7/18/2015", "18/7/2015", "line 2, column 'Date': '18/7/2015' is no da"),
    ("SpecialSale.csv", 2, "7/18/2015", "7/18/2017", "line 2, column 'Date': '7/18/2017' is outsi"),
    ("SpecialSale.csv", 2, "7/18/2015", "7/19/2015", "line 3, column 'Date': 2015-07-19 again"),
    ("SpecialSale.csv", 2, "Eid & Rathayatra sale", "", "line 2, column 'Sales Name': '' is empty"),
]
LARGE_CELLS = [  # field of the row, what it becomes, message
    ("firstfile.csv", 1, '"2015-10-2"x', "line 5000 or after: "),
    ("firstfile.csv", 1, '"20-10-2015"', "column 'Date': '20-10-2015' is no date of the form YYYY"),
    (
        "firstfile.csv",
        1,
        '"2017-01-01"',
        "column 'Date': '2017-01-01' is outside the range 2015-07",
    ),
    ("firstfile.csv", 3, "-5", "column 'gmv_new': '-5' is negative"),
    ("firstfile.csv", 3, "", "column 'gmv_new': '' is not a plain number"),
    ("firstfile.csv", 3, "inf", "column 'gmv_new': 'inf' is not a plain number"),
    ("firstfile.csv", 3, '"1,234.5"', "column 'gmv_new': '1,234.5' is not a plain number"),
    ("firstfile.csv", 3, "1,5", "11 cells, not 10"),
    ("firstfile.csv", 9, '""', "column 'product_vertical': '' is empty"),
]


@pytest.mark.parametrize(("name", "line", "old", "new", "message"), BAD_CELLS)
def test_bad_cell(
    folder: Path, tmp_path: Path, name: str, line: int, old: str, new: str, message: str
) -> None:
    assert message in refusal(name, change(folder, name, line, old, new), tmp_path)


@pytest.mark.parametrize(("name", "field", "cell", "message"), LARGE_CELLS)
@pytest.mark.parametrize("line", [3, 5_000])
def test_bad_cell_in_a_large_file(
    folder: Path, tmp_path: Path, line: int, name: str, field: int, cell: str, message: str
) -> None:
    lines = text_of(folder / name).splitlines()
    if line > len(lines):
        line = len(lines) - 5
    cells = lines[line - 1].split(",")
    lines[line - 1] = ",".join([*cells[:field], cell, *cells[field + 1 :]])
    found = refusal(name, "\n".join(lines) + "\n", tmp_path)
    assert message.replace("5000", str(line)) in found
    assert f"line {line}" in found


def test_all_faults_are_told_in_one_go(folder: Path, tmp_path: Path) -> None:
    content = change(folder, "MediaInvestment.csv", 4, "3.9,", "-3.9,").replace("6.1,", "x,", 1)
    message = refusal("MediaInvestment.csv", content, tmp_path)
    assert "line 4, column 'TV'" in message
    assert "line 5, column 'TV'" in message


def test_month_missing_from_media_investment(folder: Path, tmp_path: Path) -> None:
    lines = text_of(folder / "MediaInvestment.csv").splitlines(keepends=True)
    message = refusal("MediaInvestment.csv", "".join(lines[:5] + lines[6:]), tmp_path)
    assert "column 'Month': no row for 2015-11; add it or download the data set again" in message


# --- memory -------------------------------------------------------------------------------------

PROCESS = Path("/proc/self/status")
MEASURE = """
import re, sys
from pathlib import Path
from mmm_demo.sources.dt_mart_files import read_firstfile
rows = read_firstfile(Path(sys.argv[1])).rows
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(rows, int(peak[1]) / 1024)
"""


@pytest.mark.skipif(not PROCESS.is_file(), reason="peak memory is read from /proc")
def test_firstfile_of_real_size_is_read_in_little_memory(folder: Path, tmp_path: Path) -> None:
    header, body = (folder / "firstfile.csv").read_bytes().split(b"\n", maxsplit=1)
    times = 1 + 1_578_079 // body.count(b"\n")
    path = tmp_path / "firstfile.csv"
    with path.open("wb") as out:
        out.write(header + b"\n")
        for _ in range(times):
            out.write(body)
    try:
        assert path.stat().st_size > 150e6
        command = [PYTHON, "-c", MEASURE, str(tmp_path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    finally:
        path.unlink()
    rows, megabytes = map(float, done.stdout.split())
    assert rows == times * files.read_firstfile(folder).rows >= 1_578_079
    assert megabytes < 700


def test_facts_are_plain_values(folder: Path) -> None:
    facts = asdict(files.read_firstfile(folder).facts)
    kinds = {type(cell) for row in facts["first_rows"] for cell in row}
    assert kinds == {str, float}
    assert {type(count) for count in facts["categories"].values()} == {int}
