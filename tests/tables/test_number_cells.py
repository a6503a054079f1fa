"""Texts in columns of numbers: each gets its own step, and the number it offers is right."""

import re
from typing import Any

import pytest

from mmm_demo.tables.number_cells import Form, explain, is_empty, shapes, to_values

POINT, COMMA = Form("."), Form(",")


def step(text: str, *column: Any, role: str = "channel", form: Form = POINT) -> str:
    return explain(text, shapes([text, *column], form), role, form).step


@pytest.mark.parametrize(
    ("text", "words", "number"),
    [
        ("940,9", "decimal comma: set data.decimal: ',' or", "940.9"),
        ("0,48", "decimal comma", "0.48"),
        ("1015,515", "decimal comma", "1015.515"),
        ("-5,25", "decimal comma", "-5.25"),
        ("1,5e3", "decimal comma", "1.5e3"),
        ("1,234,567", "separator of thousands", "1234567"),
        ("1,234.50", "separator of thousands", "1234.50"),
        ("1.234.567", "separator of thousands", "1234567"),
        ("1.015,51", "separator of thousands", "1015.51"),
        ("1 234", "separator of thousands", "1234"),
        ("1\u00a0234\u00a0567,5", "separator of thousands", "1234567.5"),
        ("1'234.5", "separator of thousands", "1234.5"),
        ("1,23,456", "separator of thousands", "123456"),
        ("$14,770.00", "sign of money", "14770.00"),
        ("14.770,00 €", "sign of money", "14770.00"),
        ("EUR 120", "sign of money", "120"),
        ("1e3 EUR", "sign of money", "1e3"),
        ("R$ 5,5", "sign of money", "5.5"),
        ("\uff15\uff10\uff10", "digits of another script", "500"),
    ],
)
def test_the_number_to_write_is_the_one_that_is_meant(text: str, words: str, number: str) -> None:
    said = step(text)
    assert words in said, said
    assert re.search(rf"write {re.escape(number)}(,|$)", said), said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20.4%", "a percentage: give the amount itself"),
        (" - ", "a mark in place of a number: write 0 if nothing was spent"),
        ("\u2013", "a mark in place of a number"),
        ("tbd", "a mark in place of a number"),
        ("event1", "no number: give the amount"),
        ("(120)", "as accountants write it (-120): move refunds"),
        ("120-", "as accountants write it (-120)"),
        ("\u22125", "as accountants write it (-5)"),
        ("#DIV/0!", "a formula that failed"),
        ("#N/A", "a formula that failed"),
        ("=SUM(B2:B9)", "a formula and not its result"),
        ("12k", "a number with 'k': write the number alone, in full"),
        ("3.5 Mio", "a number with 'Mio'"),
        ("2024-01-01", "a date"),
        ("02.01.2023", "a date"),
        ("2-Jan", "a date"),
        ("12:30", "no number"),
        ("12", "text and not a number: convert it with pd.to_numeric"),
    ],
)
def test_every_kind_has_its_own_step_without_a_guess(text: str, words: str) -> None:
    said = step(text)
    assert words in said, said
    assert "thousands" not in said and "data.decimal" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("event1", "make a column for each event"),
        ("yes", "write 1,"),
        ("No", "write 0,"),
        ("20.4%", "write 20.4, without %"),
        ("(1,200.50)", "write -1200.50"),
        ("-", "0 only where it was 0"),
    ],
)
def test_a_control_may_be_below_zero_or_a_share(text: str, words: str) -> None:
    assert words in step(text, role="control")


def test_a_comma_before_three_digits_is_never_guessed() -> None:
    said = step("1,234")
    assert "between thousands, or a decimal comma? That is never guessed" in said
    assert "write 1234 or 1.234, whichever is meant" in said
    assert "write 14770 or 14.770, whichever is meant" in step("$14,770")


def test_the_rest_of_the_column_tells_what_a_comma_is() -> None:
    assert "decimal comma: set data.decimal: ',' or write 1.234" in step("1,234", "940,9")
    assert step("1,234", "1,234,567").endswith("write 1234, no separators")
    assert "never guessed" in step("1,234", "1,234,567", "940,9")


def test_a_setting_is_offered_where_it_can_help() -> None:
    mixed = step("940,9", 20.5)
    assert "among decimal points: write 940.9, or" in mixed and "throughout" in mixed
    stored = Form(".", offered=False)
    assert step("940,9", form=stored) == "decimal comma: write 940.9"
    assert "data.decimal" not in step("1,234", form=stored)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("940.9", "decimal point: set data.decimal: '.' or write 940,9"),
        ("1.234", "write 1234 or 1,234, whichever is meant"),
        ("1.234,5", "write 1234,5, no separators"),
        ("$14,770.00", "write 14770,00"),
    ],
)
def test_in_a_file_with_decimal_commas_everything_is_the_other_way_round(
    text: str, words: str
) -> None:
    assert words in step(text, form=COMMA)


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "decimal", "values"),
    [
        (["1", " 2 ", "-3.5", "1e3", ".5", "5."], ".", [1, 2, -3.5, 1000.0, 0.5, 5.0]),
        (["940,9", "455", "1,015"], ",", [940.9, 455, 1.015]),
        (["940,9", "20.35"], ",", [940.9, "20.35"]),
        (["449114.0", "1.015"], ",", [449114.0, 1.015]),
        (["1.015", "940"], ",", ["1.015", 940]),
        (["1.015.000", "20.35"], ",", ["1.015.000", "20.35"]),
        (["1,015", "n/a", "x"], ".", ["1,015", "n/a", "x"]),
        (["True", "FALSE", "yes"], ".", [True, False, "yes"]),
        (["1_000", "0x10", "inf", "nan", "\uff11"], ".", ["1_000", "0x10", "inf", "nan", "\uff11"]),
        ([None, 5, "7"], ".", [None, 5, 7]),
    ],
)
def test_only_what_is_exactly_a_number_becomes_one(
    cells: list[Any], decimal: str, values: list[Any]
) -> None:
    found = to_values(cells, decimal)
    assert found == values and list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize("cell", ["", "  ", "NA", "n/a", "NULL", "None", None, float("nan")])
def test_words_for_nothing_are_nothing(cell: Any) -> None:
    assert is_empty(cell)


@pytest.mark.parametrize("cell", ["-", "0", 0, False, "#N/A", "no", [1.0, float("nan")]])
def test_all_else_is_something(cell: Any) -> None:
    assert not is_empty(cell)
