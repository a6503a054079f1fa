"""What a text in a column of numbers says, and the step that fits it; nothing is ever guessed."""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# What CSV readers take for an empty cell; a failed look-up of a spreadsheet (#N/A) is an error.
EMPTY_WORDS = {"", "na", "n/a", "<na>", "nan", "-nan", "null", "none"}
# Stands where a number is missing; Excel's formats for accounting show 0 as a dash.
PLACEHOLDER = re.compile(r"[-\u2010-\u2015.?_*x\u2026]+|tb[cd]|tba|pending|k\. ?a\.", re.IGNORECASE)
FORMULA_ERROR = re.compile(r"#[A-Z][A-Z0-9/_]*[!?]?", re.IGNORECASE)
MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*"
DATE = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}\b.*|\d{{1,2}}([-/.])\d{{1,2}}\1(\d{{4}}|\d\d)\b.*"
    rf"|\d{{1,4}}[-. ]+{MONTH}\b.*|{MONTH}[-. ]+\d.*",
    re.IGNORECASE,
)
# Words of money, in front of a number or behind it; signs like $ are known by their Unicode class.
MONEY = re.compile(
    r"(aud|brl|cad|chf|cny|czk|dkk|eur|euro?s?|fr|gbp|huf|inr|jpy|krw?|mxn|nok|pln|rmb|rs|sek|"
    r"sfr|try|usd?|zar|zł|円|元)\.?",
    re.IGNORECASE,
)
PARTS = re.compile(
    r"(\D*?)([.,]?\d(?:[\d.,'\u2019 \u00a0\u2007\u2009\u202f]*\d)?(?:[eE][+-]?\d+)?)(\D*)", re.ASCII
)
GAP = r"[ \u00a0\u2007\u2009\u202f'\u2019]"  # between thousands, beside comma and point
YES_NO = {"yes": 1, "y": 1, "on": 1, "ja": 1, "no": 0, "n": 0, "off": 0, "nein": 0}
SWAP = str.maketrans(".,", ",.")
PLAIN, DECIMAL, GROUPED, UNSURE = "plain", "decimal", "grouped", "unsure"
MIXED = "mixed"  # beside numbers with the decimal sign that the file should have


@dataclass(frozen=True)
class Form:
    """How a file writes its numbers.

    Attributes
    ----------
    decimal
        `.` or `,`.
    offered
        Whether the settings of its data can be changed; not those of a stored version.
    """

    decimal: str = "."
    offered: bool = True

    def with_points(self, text: str) -> str:
        """Return a text as a file with decimal points would have it."""
        return text.translate(SWAP) if self.decimal == "," else text

    def written(self, number: str) -> str:
        """Return a number with decimal point as this file would have it."""
        return number.replace(".", self.decimal)


@dataclass(frozen=True)
class Reading:
    """What a text is, and the next step.

    Attributes
    ----------
    kind
        Texts of one kind need one step.
    step
        With the number to write, where the text leaves no doubt about it.
    """

    kind: str
    step: str


def is_empty(cell: Any) -> bool:
    """Return whether a cell holds nothing, or a word for it such as `NA`."""
    if isinstance(cell, str):
        return cell.strip().casefold() in EMPTY_WORDS
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def to_values(column: Iterable[Any], decimal: str) -> list[Any]:
    """Return cells with each text that is exactly a number, or true or false, as that.

    In a file with decimal commas a column may have decimal points, if it has no comma and a cell
    that can be nothing else: `1.015` could be a thousand and fifteen, `20.35` could not.
    """
    cells = list(column)
    texts = [cell for cell in cells if isinstance(cell, str)]
    form = Form(decimal)
    if decimal == "," and not any("," in text for text in texts):
        shapes = {_digits(text.strip().lstrip("+-").translate(SWAP))[0] for text in texts}
        form = Form("." if DECIMAL in shapes and GROUPED not in shapes else ",")
    return [
        _value(form.with_points(cell), cell) if isinstance(cell, str) else cell for cell in cells
    ]


def _value(text: str, given: str) -> int | float | bool | str:
    if given in ("True", "TRUE", "true", "False", "FALSE", "false"):
        return given.casefold() == "true"
    if not PLAIN_NUMBER.fullmatch(text):
        return given
    return int(text) if text.strip().lstrip("+-").isdigit() else float(text)


def shapes(column: Iterable[Any], form: Form) -> set[str]:
    """Return how a column writes its numbers, to tell the meaning of `1,234` in it."""
    found = set()
    for cell in column:
        if isinstance(cell, str) and (parts := _parts(cell)):
            body = form.with_points(parts["body"])
            found |= {_digits(body)[0]} | ({MIXED} if _has_point(body) else set())
        elif isinstance(cell, float) and not math.isnan(cell):
            found.add(MIXED)
    return found


def _has_point(body: str) -> bool:
    return "." in body and bool(PLAIN_NUMBER.fullmatch(body))


def explain(text: str, seen: set[str], role: str, form: Form) -> Reading:
    """Say what a text in a column of numbers is, and what to do about it.

    Parameters
    ----------
    text
        The cell.
    seen
        `shapes` of its column.
    role
        `channel`, `target` or `control`.
    form
        How the file writes its numbers.
    """
    cell = text.strip()
    if PLAIN_NUMBER.fullmatch(form.with_points(cell)):
        return Reading(PLAIN, "text and not a number: convert it with pd.to_numeric(table[column])")
    if PLACEHOLDER.fullmatch(cell):
        nothing = "write 0 if nothing was spent, else the amount"
        step = nothing if role == "channel" else "write the number; 0 only where it was 0"
        return Reading("placeholder", f"a mark in place of a number: {step}")
    if FORMULA_ERROR.fullmatch(cell):
        return Reading("formula error", "a formula that failed: correct it in the spreadsheet")
    if cell.startswith("="):
        return Reading("formula", "a formula and not its result: save the table with its values")
    if DATE.fullmatch(cell):
        step = "is it the right column? Spreadsheets turn some numbers into dates"
        return Reading("date", f"a date; {step}: enter it again, in a column formatted as numbers")
    return _number(cell, seen, role, form) or _word(cell, role)


def _number(cell: str, seen: set[str], role: str, form: Form) -> Reading | None:
    """Explain a number in disguise; None where it is none."""
    parts = _parts(cell)
    if not parts:
        return None
    kind, numbers = _digits(form.with_points(parts["body"]))
    if kind == UNSURE and len(proof := seen & {DECIMAL, GROUPED}) == 1:
        kind = proof.pop()  # others in the column can be read in one way only
        numbers = numbers[kind == DECIMAL :][:1]
    shown = [form.written(parts["sign"] + number) for number in numbers]
    write = f"write {' or '.join(shown)}" if shown else "write the number alone"
    if len(shown) > 1:
        write += ", whichever is meant"
    before, after = parts["before"], parts["after"]
    if "%" in (before, after):
        if role == "control":
            return Reading("percentage", f"a percentage: {write}, without % in every week")
        return Reading("percentage", "a percentage: give the amount itself, not a share of it")
    if _is_money(before) and _is_money(after) and before + after:
        return Reading("currency", f"a sign of money: {write}")
    if before or set(after) & {*".,"}:
        return None
    if after:
        what = f"a number with {after!r}"
        return Reading("unit", f"{what}: write the number alone, in full (12k is 12000)")
    if parts["accounting"]:
        step = write if role == "control" else "move refunds to the week they belong to"
        what = f"a negative number as accountants write it ({' or '.join(shown)})"
        return Reading("accounting", f"{what}: {step}")
    sign, other, tail = (",", "comma", "point") if form.decimal == "." else (".", "point", "comma")
    setting = f"data.decimal: '{sign}'"
    if kind == DECIMAL and MIXED in seen and form.offered:
        throughout = f"or write decimal {other}s throughout and set {setting}"
        return Reading(DECIMAL, f"decimal {other} among decimal {tail}s: {write}, {throughout}")
    if kind == DECIMAL:
        return Reading(DECIMAL, f"decimal {other}: {f'set {setting} or ' * form.offered}{write}")
    if kind == UNSURE:
        what = f"a {other} between thousands, or a decimal {other}? That is never guessed"
        offer = f" (if every {other} is a decimal {other}: set {setting})" * form.offered
        return Reading(UNSURE, f"{what}: {write}{offer}")
    return Reading(GROUPED, f"a separator of thousands: {write}, no separators") if shown else None


def _parts(cell: str) -> dict[str, Any] | None:
    """Split a text into sign, what stands before the digits, the digits and what comes after."""
    body, negative = cell.strip(), False
    if accounting := bool(re.fullmatch(r"\(.*\)|.*\d\s*-", body)):
        body, negative = body.strip("()-").strip(), True
    if not (match := PARTS.fullmatch(body)):
        return None
    before, digits, after = (part.strip() for part in match.groups())
    if signs := re.findall(r"[+\u2010-\u2015\u2212-]", before):
        before = re.sub(r"[+\u2010-\u2015\u2212-]", "", before).strip()
        accounting |= any(sign not in "+-" for sign in signs)
        negative ^= "+" not in signs
    return {
        "sign": "-" * negative,
        "before": before,
        "body": digits,
        "after": after,
        "accounting": accounting,
    }


def _digits(body: str) -> tuple[str, tuple[str, ...]]:
    """Return how a text writes a number, with the number or numbers that it can be.

    Of two, the first is the one with thousands. `body` is of a file with decimal points.
    """
    exponent = r"([eE][+-]?\d+)?"
    if PLAIN_NUMBER.fullmatch(body):
        return PLAIN, (body,)
    if re.fullmatch(r"[1-9]\d{0,2},\d{3}", body):
        return UNSURE, (body.replace(",", ""), body.replace(",", "."))
    if re.fullmatch(rf"\d*,\d+{exponent}", body):
        return DECIMAL, (("0" * body.startswith(",")) + body.replace(",", "."),)
    # Thousands, also of India (1,23,456); the last separator of another kind is the decimal one.
    if re.fullmatch(r"\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?", body):
        return GROUPED, (body.replace(",", ""),)
    if re.fullmatch(r"\d{1,3}(\.\d{2,3})*\.\d{3}(,\d+)?", body):
        return GROUPED, (body.replace(".", "").replace(",", "."),)
    if re.fullmatch(rf"\d{{1,3}}({GAP}\d{{2,3}})*{GAP}\d{{3}}([.,]\d+)?", body):
        return GROUPED, (re.sub(GAP, "", body).replace(",", "."),)
    return "", ()


def _is_money(word: str) -> bool:
    signs = any(unicodedata.category(sign) == "Sc" for sign in word)
    return not word or signs or bool(MONEY.fullmatch(word))


def _word(cell: str, role: str) -> Reading:
    if cell.isdecimal():  # and not in ASCII
        return Reading("script", f"digits of another script: write {int(cell)}")
    if role != "control":
        return Reading("word", "no number: give the amount of the week")
    if (value := YES_NO.get(cell.casefold())) is not None:
        return Reading("yes or no", f"a word: write {value}, with 1 for yes and 0 for no")
    return Reading("word", "a word: make a column for each event, 1 in its weeks and 0 elsewhere")
