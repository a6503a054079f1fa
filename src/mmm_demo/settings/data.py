"""What decides the weekly table: its source, and the columns that are made from others."""

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from mmm_demo.settings.dt_mart_options import DtMartOptions
from mmm_demo.settings.events import Holidays, read_holidays
from mmm_demo.settings.kinds import required_day
from mmm_demo.settings.limits import Count
from mmm_demo.settings.names import require_writable
from mmm_demo.settings.priors import STRICT

TREND = "Trend"  # the control that `trend` adds
Column = Annotated[str, Field(min_length=1), AfterValidator(require_writable)]
Members = Annotated[tuple[Column, ...], Field(min_length=1)]
ACCEPTED_KEYS = ("column", "from", "until", "reason")


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Weeks of one column that are unlike the others and right, as someone said why.

    Attributes
    ----------
    column
        The target, a channel or a control.
    first, last
        Days that the weeks lie between, as ISO text; `from` and `until` in a file.
    reason
        Why the values are right, and who said so.

    Raises
    ------
    ValueError
        When a name or the reason is empty, a day is none, or the days are out of order.
    """

    column: str
    first: str
    last: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse an entry that says nothing."""
        for key, value in (("column", self.column), ("reason", self.reason)):
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{key} must be text that says something, got {value!r}")
        for name, key in (("first", "from"), ("last", "until")):
            object.__setattr__(self, name, required_day(key, getattr(self, name)))
        if self.last < self.first:
            raise ValueError(f"until {self.last} comes before from {self.first}")

    def __str__(self) -> str:
        """Say the entry in words."""
        return f"{self.column} {self.first} to {self.last}: {self.reason}"

    def plain(self) -> dict[str, str]:
        """Return the entry as an experiment file has it."""
        values = (self.column, self.first, self.last, self.reason)
        return dict(zip(ACCEPTED_KEYS, values, strict=True))


def _read_accepted(number: int, given: object) -> Accepted:
    if isinstance(given, Accepted):
        return given
    takes = f"entry {number} takes {', '.join(ACCEPTED_KEYS)}"
    if not isinstance(given, Mapping):
        raise ValueError(f"{takes}; got {given!r}")
    wrong = {
        "missing": [key for key in ACCEPTED_KEYS if key not in given],
        "unknown": [str(key) for key in given if key not in ACCEPTED_KEYS],
    }
    if told := [f"{what} {', '.join(keys)}" for what, keys in wrong.items() if keys]:
        raise ValueError(f"{takes}; {'; '.join(told)}")
    try:
        return Accepted(*(given[key] for key in ACCEPTED_KEYS))
    except ValueError as fault:
        raise ValueError(f"entry {number}: {fault}") from None


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Where the weekly table comes from.

    Attributes
    ----------
    source
        `simulated` (the demo market), `csv` or `kaggle` (DT Mart).
    path
        CSV file, relative to the project; for `csv` only.
    seed, weeks
        Of the simulated market; for `simulated` only.
    missing_spend
        `zero` reads an empty spend cell as no spend; `error` refuses it.
    dt_mart
        What the DT Mart files leave open; for `kaggle` only.
    lift_tests
        CSV file of lift tests that calibrate the model (`lift.COLUMNS`), relative to the project.
    groups
        Channels that are sums of spend columns, which leave the table; not for `kaggle`, whose
        files are grouped by `dt_mart.groups`.
    holidays
        Public holidays of a country as events: `{country, subdivision, names, before, after}`.
    events
        CSV file of events: name, start, end (first and last day); relative to the project.
    trend
        `linear` adds the control `Trend`: 0, 1, 2, ... by week.
    decimal, separator
        How the CSV file writes decimals (`.` or `,`) and separates cells; for `csv` only.
        Lift tests write decimals alike; what separates their cells shows in their header.
    accept
        Weeks whose values are unlike the others of their column (`records`) and right all the
        same, each with its reason: a list of `{column, from, until, reason}`.
    """

    source: Literal["simulated", "csv", "kaggle"] = "simulated"
    path: str | None = None
    seed: Count = Field(default=1, ge=0)
    weeks: Count = Field(default=156, ge=104, le=1040)
    missing_spend: Literal["error", "zero"] = "error"
    dt_mart: DtMartOptions | None = Field(default=None, validate_default=True)
    lift_tests: Column | None = None
    groups: dict[Column, Members] = field(default_factory=dict)
    trend: Literal["none", "linear"] = "none"
    decimal: Literal[".", ","] = "."
    separator: Literal[",", ";", "\t", "|"] = ","
    accept: tuple[Accepted, ...] = ()
    holidays: Holidays | None = None
    events: Column | None = None

    @field_validator("holidays", mode="before")
    @classmethod
    def _read_holidays(cls, given: object) -> Holidays | None:
        return read_holidays(given)

    @field_validator("accept", mode="before")
    @classmethod
    def _read_accept(cls, given: object) -> tuple[Accepted, ...]:
        if not isinstance(given, list | tuple):
            raise ValueError(f"must be a list of {{{', '.join(ACCEPTED_KEYS)}}}, got {given!r}")
        return tuple(_read_accepted(number, entry) for number, entry in enumerate(given, 1))

    @field_validator("dt_mart", mode="before")
    @classmethod
    def _read_dt_mart(cls, given: object, info: ValidationInfo) -> DtMartOptions | None:
        if info.data.get("source") != "kaggle":
            if given is not None:
                raise ValueError("goes with source kaggle")
            return None
        if isinstance(given, DtMartOptions):
            return given
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"must be a mapping, got {given!r}")
        valid = sorted(DtMartOptions.__dataclass_fields__)
        if unknown := sorted(set(given or {}) - set(valid)):
            raise ValueError(f"unknown key {', '.join(unknown)}; valid: {', '.join(valid)}")
        return DtMartOptions(**(given or {}))

    @model_validator(mode="after")
    def _files_belong_to_csv(self) -> "DataConfig":
        if (self.source == "csv") != (self.path is not None):
            raise ValueError(
                f"source {self.source!r} with path {self.path!r}: a path goes with csv"
            )
        if self.source != "csv" and (self.decimal, self.separator) != (".", ","):
            raise ValueError(f"decimal and separator go with source csv, not {self.source!r}")
        return self

    @model_validator(mode="after")
    def _groups_count_no_money_twice(self) -> "DataConfig":
        if self.groups and self.source == "kaggle":
            raise ValueError("groups go with csv and simulated; DT Mart has dt_mart.groups")
        members = self.members
        if twice := sorted({name for name in members if members.count(name) > 1}):
            raise ValueError(f"groups: columns in two groups: {', '.join(twice)}; keep each in one")
        if nested := sorted({*members} & {*self.groups}):
            raise ValueError(f"groups: {', '.join(nested)} cannot be both a group and in one")
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """Columns that groups add up."""
        return tuple(name for group in self.groups.values() for name in group)

    @property
    def grouping(self) -> str:
        """What is added up, in words; empty without groups."""
        groups = self.dt_mart.groups if self.dt_mart else self.groups
        return ", ".join(f"{name} = {' + '.join(of)}" for name, of in groups.items())
