"""CSV files as people have them: read to the last digit, or refused with what they are."""

import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmm_demo.tables.faults import DataError
from mmm_demo.tables.table_file import read_csv, read_texts
from refused_files import CASES, load, refusal

GOOD = "week,sales,tv\n2024-01-01,100.5,20\n2024-01-08,90,\n"


def write(folder: Path, content: str | bytes, name: str = "weekly.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(folder: Path, content: str | bytes, **form: Any) -> str:
    with pytest.raises(DataError) as refused:
        read_csv(write(folder, content), **form)
    return str(refused.value)


# --- decimal commas, and what separates cells ---------------------------------------------------


def test_decimal_comma_is_said_with_the_value_and_both_ways_out() -> None:
    text = refusal("decimal_comma_spend")
    assert "1 fault(s)" in text
    assert "'940,9'" in text and "data.decimal: ','" in text and "write 940.9" in text
    assert "thousands" not in text


def test_who_follows_the_advice_on_decimal_commas_has_the_right_numbers() -> None:
    """Other columns of the file have decimal points, which can be nothing else."""
    table = read_csv(CASES / "decimal_comma_spend.csv", decimal=",")
    texts = pd.read_csv(CASES / "decimal_comma_spend.csv", dtype=str)
    for name in ("sales", "search", "social", "price"):
        wanted = [float(cell.replace(",", ".")) for cell in texts[name]]
        assert table[name].tolist() == wanted
    assert table["search"].iloc[:3].tolist() == [940.9, 1015.51, 828.0]
    # What is left is about the values: some weeks have cents, and only the user knows why.
    text = refusal("decimal_comma_spend", decimal=",")
    assert "1 fault(s)" in text and "data.accept" in text and "0.08" in text


def test_a_semicolon_table_names_both_settings_and_is_right_with_them() -> None:
    text = refusal("semicolon")
    assert "separated by ';' with decimal commas" in text
    assert "set data.separator: ';' and data.decimal: ','" in text
    assert "missing" not in text
    right = load("semicolon", separator=";", decimal=",")
    first = right.table.iloc[0]
    assert first[["sales", "search", "price"]].tolist() == [454705.0, 19131.0, 20.35]
    half = refusal("semicolon", separator=";")
    assert "1 fault(s)" in half and "data.decimal: ','" in half
    assert all(repr(name) in half for name in ("tv", "search", "social", "price"))


@pytest.mark.parametrize(("sign", "name"), [("\t", "tabs"), ("|", "'|'"), (";", "';'")])
def test_every_separator_is_recognised_and_read(tmp_path: Path, sign: str, name: str) -> None:
    content = GOOD.replace(",", sign)
    text = told(tmp_path, content)
    assert f"separated by {name}" in text and "data.decimal" not in text
    pd.testing.assert_frame_equal(
        read_csv(write(tmp_path, content), separator=sign),
        read_csv(write(tmp_path, GOOD, "good.csv")),
    )
    assert "separated by commas: set data.separator: ','" in told(tmp_path, GOOD, separator=sign)


def test_settings_of_a_stored_version_are_not_offered(tmp_path: Path) -> None:
    text = told(tmp_path, GOOD.replace(",", ";"), offered=False)
    assert "data." not in text and "save it as CSV UTF-8" in text


def test_a_column_of_one_table_may_hold_other_separators(tmp_path: Path) -> None:
    content = 'week,"sales; net",tv|radio\n2024-01-01,1,2\n2024-01-08,3,4\n'
    assert list(read_csv(write(tmp_path, content))) == ["week", "sales; net", "tv|radio"]


def test_the_line_that_tells_excel_the_separator_is_named(tmp_path: Path) -> None:
    text = told(tmp_path, "sep=;\n" + GOOD.replace(",", ";"))
    assert "'sep=;'" in text and "remove that line" in text and "data.separator: ';'" in text


def test_with_decimal_commas_a_point_between_thousands_is_never_guessed(tmp_path: Path) -> None:
    content = 'week;sales;tv\n2024-01-01;"1,5";1.015\n2024-01-08;"2,5";940\n'
    table = read_csv(write(tmp_path, content), decimal=",", separator=";")
    assert table["sales"].tolist() == [1.5, 2.5]
    assert table["tv"].tolist() == ["1.015", 940]


# --- what is no text in UTF-8 -------------------------------------------------------------------


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(read_csv(CASES / "bom.csv"))[:2] == ["week", "sales"]
    quoted = b"\xef\xbb\xbf" + b'"week",sales\n2024-01-01,1\n'
    assert list(read_csv(write(tmp_path, quoted))) == ["week", "sales"]


def test_an_excel_workbook_is_called_one() -> None:
    text = refusal("xlsx")
    assert "an Excel workbook" in text and "save it as CSV UTF-8" in text
    assert "pd.read_excel('book.xlsx'" in text and "codec" not in text


def run_advice(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the line of pandas that a message gives, in the folder of the file."""
    monkeypatch.chdir(folder)
    code = re.search(r"pd\.read_csv\(.*index=False\)", text)
    assert code, text
    exec(code[0], {"pd": pd})
    made = re.search(r"to_csv\('([^']+)'", code[0])
    assert made
    return folder / made[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("utf16", ("UTF-16", "separated by tabs")),
        ("cp1252", ("Windows-1252", "Fernsehen (€)", "Preis Ø")),
    ],
)
def test_another_encoding_is_named_and_its_advice_works(
    name: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, (CASES / f"{name}.csv").read_bytes(), f"{name}.csv")
    text = refusal(name, tmp_path)
    assert all(word in text for word in words), text
    made = run_advice(text, tmp_path, monkeypatch)
    table = load(name, tmp_path, path=made.name).table
    assert table.iloc[0, 1:].tolist() == [454705.0, 0.0, 19131.0, 17140.0, 20.35]
    assert len(table) == 104


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_seen(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = told(tmp_path, ("\u00e9" + GOOD).encode(codec))
    assert "UTF-16" in text or "no encoding" in text
    made = run_advice(text, tmp_path, monkeypatch)
    assert list(read_csv(made)) == ["éweek", "sales", "tv"]


def archive(names: list[str]) -> bytes:
    path = Path("archive.zip")
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return path.read_bytes()


def test_other_files_are_called_by_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for content, what in (
        (archive(["weekly.csv"]), "a zip archive: unpack it"),
        (archive(["xl/workbook.xml"]), "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook (.xls"),
        (gzip.compress(GOOD.encode()), "compressed (gzip)"),
        (b"PAR1\x15", "a Parquet file: pd.read_parquet('weekly.csv')"),
        (b"%PDF-1.7", "a PDF"),
        (b"\n<html><table>", "a web page"),
        (b'[{"week": 1}]', "JSON: pd.read_json('weekly.csv')"),
        (b"\x81\x8d\x8f,\x90\x9d\n", "no encoding that is known (byte 0x81 at 0)"),
        (b"", "it is empty"),
        (b"  \n \n", "it is empty"),
    ):
        text = told(tmp_path, content)
        assert "weekly.csv is not a readable CSV file: " in text and what in text, text


# --- rows that do not fit the header ------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n1,2,3\n", ("line 3 has 3 cells, and line 1 2", "'1,2,3'", "quotes around")),
        ("Report\n\nweek,sales\n1,2\n", ("line 3 has 2 cells", "remove the lines above it")),
        ('a,b\n1,"2\n3,4\n', ("a quote is opened and never closed",)),
        ("week,tv\n2024-01-01,940,9\n2024-01-08,10,5\n", ("line 2 has 3 cells", "940,9", "quotes")),
        ("week,tv\n2024-01-01,940,\n2024-01-08,10,\n", ("line 2 has 3 cells", "end in a sep")),
    ],
)
def test_a_line_with_more_cells_than_the_header_is_named(
    tmp_path: Path, content: str, words: tuple[str, ...]
) -> None:
    text = told(tmp_path, content)
    assert all(word in text for word in words), text


def test_row_names_of_r_are_left_out(tmp_path: Path) -> None:
    table = read_csv(write(tmp_path, "week,tv\n1,2024-01-01,5\n2,2024-01-08,6\n"))
    assert table["week"].tolist() == ["2024-01-01", "2024-01-08"]
    assert table["tv"].tolist() == [5, 6]


# --- good files stay what they were -------------------------------------------------------------


def test_a_good_file_gives_what_pandas_gives(tmp_path: Path) -> None:
    content = "week,sales,on,words\n2024-01-01,1e3,True,a\n2024-01-08,0.1234567890123,False,b c\n"
    path = write(tmp_path, content)
    found, wanted = read_csv(path), pd.read_csv(path)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, check_exact=True)
    assert found["on"].dtype == bool and found["sales"].dtype == float


def test_one_bad_cell_leaves_its_neighbours_numbers_and_words_for_empty_as_written(
    tmp_path: Path,
) -> None:
    content = 'week,tv,radio\n2024-01-01,"1,234",NA\n2024-01-08,7,1.5\n2024-01-15,0.25,\n'
    table = read_csv(write(tmp_path, content))
    assert table["tv"].tolist() == ["1,234", 7, 0.25]
    assert table["radio"].tolist()[:2] == ["NA", 1.5] and pd.isna(table["radio"][2])


def test_texts_are_read_by_their_columns(tmp_path: Path) -> None:
    for sign in ",;\t|":
        path = write(tmp_path, f"a{sign}b\n1{sign}0,5\n".replace("0,5", '"0,5"'))
        assert read_texts(path, ["b", "a"]).to_dict("list") == {"a": ["1"], "b": ["0,5"]}
    with pytest.raises(DataError, match="line 2 has 3 cells"):
        read_texts(write(tmp_path, "a,b\n1,0,5\n"), ["a", "b"])
