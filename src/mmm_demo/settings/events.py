"""Events that move sales for some days: what a user may write, and their dates once read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mmm_demo.settings.kinds import required_day
from mmm_demo.settings.names import require_writable

HOLIDAY_KEYS = ("country", "subdivision", "names", "before", "after")
MOST_DAYS_AROUND = 28


@dataclasses.dataclass(frozen=True)
class Occurrence:
    """One time that an event was or will be.

    Attributes
    ----------
    name
        Of the event; it has one effect, whenever it is.
    start, end
        First and last day, as ISO text.

    Raises
    ------
    ValueError
        When the name is empty, a day is none, or the days are out of order.
    """

    name: str
    start: str
    end: str

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"name must be text that says something, got {self.name!r}")
        require_writable(self.name)
        for key in ("start", "end"):
            object.__setattr__(self, key, required_day(key, getattr(self, key)))
        if self.end < self.start:
            raise ValueError(f"end {self.end} comes before start {self.start}")


@dataclasses.dataclass(frozen=True)
class Holidays:
    """Public holidays of a country, by the `holidays` package.

    Attributes
    ----------
    country
        Code of two letters, e.g. `NO`.
    subdivision
        Code of a part of it; the whole country when omitted.
    names
        Those that the model has an effect of, in the country's language or in English; all that
        the weeks have when omitted.
    before, after
        Days around each that belong to it.

    Raises
    ------
    ValueError
        When a value cannot be what it should be.
    """

    country: str
    subdivision: str | None = None
    names: tuple[str, ...] = ()
    before: int = 0
    after: int = 0

    def __post_init__(self) -> None:
        """Refuse values that mean something else."""
        if self.country is False:
            raise ValueError('country: YAML reads NO as false; quote it: country: "NO"')
        for key in ("country", "subdivision"):
            code = getattr(self, key)
            if not (isinstance(code, str) and code.strip()) and (key, code) != (key, None):
                raise ValueError(f"{key} must be a code such as NO, in quotes; got {code!r}")
        if self.country is None:
            raise ValueError("country must be a code such as NO, in quotes; got none")
        if isinstance(self.names, str) or not all(isinstance(name, str) for name in self.names):
            raise ValueError(f"names must be a list of holidays, got {self.names!r}")
        for key in ("before", "after"):
            days = getattr(self, key)
            if type(days) is not int or not 0 <= days <= MOST_DAYS_AROUND:
                raise ValueError(f"{key} must be 0 to {MOST_DAYS_AROUND} days, got {days!r}")

    def params(self) -> dict[str, Any]:
        """Return what a run says of them, by name."""
        said = dataclasses.asdict(self) | {"names": ", ".join(self.names) or "all"}
        return {name: value for name, value in said.items() if value is not None}


def read_holidays(given: object) -> Holidays | None:
    """Read holidays as an experiment file writes them.

    Raises
    ------
    ValueError
        With the value and what is valid.
    """
    if given is None or isinstance(given, Holidays):
        return given
    if not isinstance(given, Mapping) or "country" not in given:
        raise ValueError(f"must map {', '.join(HOLIDAY_KEYS)}, at least the country; got {given!r}")
    if unknown := [str(key) for key in given if key not in HOLIDAY_KEYS]:
        raise ValueError(f"unknown {', '.join(unknown)}; valid: {', '.join(HOLIDAY_KEYS)}")
    names = given.get("names") or ()
    if not isinstance(names, list | tuple):
        raise ValueError(f"names must be a list of holidays, got {names!r}")
    return Holidays(**{**given, "names": tuple(names)})
