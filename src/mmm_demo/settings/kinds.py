"""Kinds of values that files may hold."""

from datetime import date
from typing import Annotated

from pydantic import Field

SLUG = r"^[a-z][a-z0-9_]*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=60)]
Count = Annotated[int, Field(strict=True)]  # neither text nor true nor 8.0
Number = Annotated[float, Field(strict=True)]  # neither text nor true
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False)]


def as_day(start: object) -> str | None:
    """Return a day as ISO text; YAML makes it a date where it is not quoted.

    Raises
    ------
    ValueError
        When it is neither a day nor None.
    """
    day = start.isoformat() if type(start) is date else start
    try:
        return None if day is None else date.fromisoformat(day).isoformat()
    except (TypeError, ValueError):
        raise ValueError(f"must be a day such as 2026-01-05, got {start!r}") from None


def required_day(key: str, day: object) -> str:
    """Return a day as ISO text.

    Parameters
    ----------
    key
        What the user calls it, for the message.
    day
        As a file has it.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        read = as_day(day)
    except ValueError as fault:
        raise ValueError(f"{key} {fault}") from None
    if read is None:
        raise ValueError(f"{key} must be a day such as 2026-01-05, got none")
    return read
