"""Columns keep the names that their spreadsheet gives them; this is what stores call them.

People see a name as it is written. Metrics, files and the variables of a trace can hold less than a
spreadsheet: there it has a name that is readable, and ends in a mark of the name where something
was replaced. Each of these is one to one, and a name that can be held is kept.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import count

LONGEST_KEY = 250  # characters of a metric's, param's or tag's key in MLflow
LONGEST_FILE = 200  # bytes of a name within the name of a file, which may have 255
MARK_DIGITS = 10
MARKED = re.compile(rf".*-0x[0-9a-f]{{{MARK_DIGITS}}}", re.DOTALL)
# What ends a line or a text, or cannot be written: controls, surrogates, separators.
UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
ROWS = "row"  # dimension of a stored table
HIDDEN = "_nc4_non_coord_"  # h5netcdf's own, which it takes out when it reads


def require_writable(name: str) -> str:
    """Return a column's name that fits into one line of text.

    Raises
    ------
    ValueError
        When it holds a line break or another character that is not to be seen.
    """
    if bad := [sign for sign in name if unicodedata.category(sign) in UNWRITABLE]:
        raise ValueError(
            f"holds {bad[0]!a}, a line break or control character; rename the column in the file, "
            f"e.g. {' '.join(_without(name).split()) or 'column'!r}"
        )
    return name


def _without(name: str) -> str:
    return "".join(" " if unicodedata.category(sign) in UNWRITABLE else sign for sign in name)


def key(name: str, before: str = "", after: str = "") -> str:
    """Return the key of a metric or tag about a name, e.g. `roas.TV`.

    Parameters
    ----------
    name
        As it is written.
    before, after
        Rest of the key; characters that MLflow takes everywhere.
    """
    room = LONGEST_KEY - len(before) - len(after)
    safe = re.sub(r"[^\w.\- ]", "_", name)  # of what MLflow takes, `/` would make it a path
    if safe != name or len(name) > room or MARKED.fullmatch(name):
        mark = _mark(name)
        safe = safe[: room - len(mark)] + mark
    return f"{before}{safe}{after}"


def variable(name: str, taken: Collection[str] = ()) -> str:
    """Return what a column is called as a variable of a trace.

    Parameters
    ----------
    name
        As it is written.
    taken
        Names that mean something else there.
    """
    hard = "/" in name or name in (".", ROWS) or HIDDEN in name
    if not hard and name not in taken and not MARKED.fullmatch(name):
        return name
    return name.replace("/", "_").replace(HIDDEN, "_") + _mark(name)


def snake_case(text: str) -> str:
    """Return text in lowercase snake_case, e.g. `Content Marketing` -> `content_marketing`.

    Text without any Latin letter keeps its own.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    own = unicodedata.normalize("NFC", text).casefold()
    return plain or re.sub(r"[\W_]+", "_", own).strip("_")


def file_names(names: Collection[str]) -> dict[str, str]:
    """Return what files call each of some names, in lowercase: `content_marketing`.

    Names that would share one get a mark, also those that differ in case only, which many file
    systems do not tell apart.
    """
    short = {name: snake_case(name) for name in names}
    uses = list(short.values())
    kept = {
        name: file
        for name, file in short.items()
        if file and uses.count(file) == 1 and len(file.encode()) <= LONGEST_FILE
    }
    taken = set(kept.values())
    for name, file in short.items():
        if name not in kept:
            kept[name] = _free(file, name, taken)
            taken.add(kept[name])
    return {name: kept[name] for name in names}


# Underscores inside of a word, and a `<` that begins no tag, are no markup.
_MARKUP = re.compile(r"[\\*|~]|(?<!\w)_|_(?!\w)|<(?=[\w/!?])|\[(?=[^\]]*\]\()|&(?=#?\w+;)")


def as_markdown(text: str) -> str:
    """Return text that Markdown shows as it is written, but for its code in backticks."""
    return "".join(
        part if at % 2 else _MARKUP.sub(r"\\\g<0>", part)
        for at, part in enumerate(re.split(r"(`[^`]+`)", text))
    )


def bullets(sentences: Iterable[str]) -> list[str]:
    """Return sentences as a list in Markdown."""
    return [f"* {as_markdown(sentence)}" for sentence in sentences]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown; cells as they are given."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return [lines[0], "|" + "---|" * len(header), *lines[1:]]


def _free(short: str, name: str, taken: Iterable[str]) -> str:
    """Return a marked name that no other one has."""
    start = short.encode()[: LONGEST_FILE // 2].decode(errors="ignore")
    marks = (_digest(name)[:digits] for digits in count(MARK_DIGITS))
    return next(file for mark in marks if (file := f"{start}_{mark}".strip("_")) not in taken)


def _mark(name: str) -> str:
    return f"-0x{_digest(name)[:MARK_DIGITS]}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
