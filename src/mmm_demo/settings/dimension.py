"""The settings that a sweep may vary, and the values that it says for each."""

import itertools
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str
SECTIONS = ("data", "model")  # all else is the sweep's own, or no part of the model


@dataclass(frozen=True)
class Options:
    """A few values of one setting, or named sets of settings that belong together.

    Attributes
    ----------
    settings
        By the value's name: values by dotted place in the experiment.
    """

    settings: Mapping[Value, Mapping[str, Any]]

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.settings)

    def values(self) -> list[Value]:
        """Return every value, as studies and runs call it."""
        return list(self.settings)


@dataclass(frozen=True)
class Range:
    """Numbers of one setting between two ends, both included; whole ones where both ends are."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 1))

    @property
    def count(self) -> int:
        """How many values there are; 0 of a range without steps, which has no end of them."""
        step = self.step or (1 if self.whole else None)
        return 0 if step is None or self.log else round((self.high - self.low) / step) + 1

    def values(self) -> list[Value]:
        """Return every value; none of a range without steps."""
        step = self.step or 1
        return [round(self.low + step * number, 12) for number in range(self.count)]


def read_dimension(name: str, given: object) -> Options | Range:
    """Read what a sweep file says about one setting.

    Raises
    ------
    ValueError
        With the value and what is valid.
    """
    if "." not in name:
        return _read_sets(given)
    _require_section(name)
    if isinstance(given, Mapping):
        return _read_range(given)
    if not isinstance(given, list) or len(given) < 2:
        raise ValueError(f"must be a list of two or more values or a range, got {given!r}")
    settings = {_label(value): {name: value} for value in given}
    if len(settings) < len(given):
        raise ValueError(f"a value is given twice: {given!r}")
    return Options(settings)


def _label(value: Any) -> Value:
    if isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, default=str).replace('"', "")


def _require_section(place: str) -> None:
    if place.split(".")[0] not in SECTIONS or "." not in place:
        valid = " or ".join(f"{section}.<setting>" for section in SECTIONS)
        raise ValueError(f"trials differ in data and model only: {valid}, got {place!r}")


def _read_sets(given: object) -> Options:
    if not isinstance(given, Mapping) or len(given) < 2:
        raise ValueError(
            "a setting is written with its section, as model.adstock_max_lag; any other name needs "
            f"two or more named sets of settings, got {given!r}"
        )
    for label, settings in given.items():
        if not isinstance(settings, Mapping):
            raise ValueError(f"{label} must map settings to values, got {settings!r}")
        for place in settings:
            _require_section(str(place))
    sets = {str(label): dict(settings) for label, settings in given.items()}
    if len(sets) < len(given):
        raise ValueError(f"a name is given twice: {', '.join(map(str, given))}")
    return Options(sets)


def _read_range(given: Mapping[str, Any]) -> Range:
    if not {"low", "high"} <= set(given) <= {"low", "high", "step", "log"}:
        keys = ", ".join(map(str, given))
        raise ValueError(f"a range has low and high, and may have step or log; got {keys}")
    for key, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if key != "log" and not (number and abs(value) <= sys.float_info.max):  # NaN is not
            raise ValueError(f"{key} must be a finite number, got {value!r}")
    found = Range(**given)
    if not isinstance(found.log, bool):
        raise ValueError(f"log must be true or false, got {found.log!r}")
    if not found.low < found.high:
        raise ValueError(f"low must be below high, got {found.low!r} and {found.high!r}")
    if found.step is not None and not 0 < found.step <= found.high - found.low:
        raise ValueError(f"step must be positive and fit into the range, got {found.step!r}")
    if found.log and (found.step is not None or found.low <= 0):
        raise ValueError("a log range has no step and starts above 0")
    if found.step is not None:
        steps = (found.high - found.low) / found.step
        if abs(steps - round(steps)) > 1e-9 * steps:
            last = round(found.low + found.step * math.floor(steps), 12)
            raise ValueError(f"steps of {found.step!r} end at {last}, not at {found.high!r}")
    return found


def set_twice(search: Mapping[str, Options | Range]) -> list[str]:
    """Name the places that two settings would write to; the later one would win unseen."""
    written = {
        name: {place for values in of.settings.values() for place in values}
        if isinstance(of, Options)
        else {name}
        for name, of in search.items()
    }
    return [
        f"{one} and {other} both set {max(place, inner, key=len)}; keep one of them"
        for one, other in itertools.combinations(written, 2)
        for place, inner in itertools.product(written[one], written[other])
        if f"{place}.".startswith(f"{inner}.") or f"{inner}.".startswith(f"{place}.")
    ]
