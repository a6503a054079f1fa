"""What may be asked of a plan, in a plan file or in an experiment: validated at birth."""

import math
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from mmm_demo.settings.kinds import Count, Number, Positive, Slug, as_day
from mmm_demo.settings.priors import STRICT
from mmm_demo.settings.yaml_file import build, read_mapping

Money = Annotated[Number, Field(ge=0, allow_inf_nan=False)]
QUOTED = Field(strict=False)  # a number, or text that is one
PERCENT_FROM = 10.0  # multiples of the last period from here on are percentages
Objective = Literal["response", "profit", "cvar", "target_response", "target_roas", "target_mroas"]
Engine = Literal["own", "library", "both"]
OF_THE_LIBRARY = "_library"  # how the name of a scenario ends where both engines planned it
# The setting that an objective cannot do without.
NEEDS = {
    "profit": "margin",
    "target_response": "target",
    "target_roas": "target",
    "target_mroas": "target",
}
SPENDS_ALL = ("response", "cvar")  # the others take the budget as the most they may spend
EVERY = "*"
SEEN = "seen"
USUAL_STEP = 0.3  # most change by channel that teams take at once
MOST_SCENARIOS = 20
# Settings of an experiment's budget that every stored version has.
FIRST_SETTINGS = ("weeks", "start", "total_budget", "bounds")


def _no_percent(most: float, meaning: str) -> AfterValidator:
    """Refuse a percentage where a share is meant."""

    def check(value: float) -> float:
        if value > most:
            hint = f"; {value:g}% is {value / 100:g}" if value >= 1 else ""
            raise ValueError(f"{meaning}, so at most {most:g}, got {value:g}{hint}")
        return value

    return AfterValidator(check)


OfLastPeriod = Annotated[
    Positive, _no_percent(PERCENT_FROM, "a multiple of what the last period spent")
]
OfDraws = Annotated[Positive, _no_percent(0.5, "a share of the draws")]
OfChange = Annotated[Positive, _no_percent(1.0, "a share of what a channel spent")]
OfMeanWeek = Annotated[Positive, _no_percent(5.0, "a share of the channel's mean week")]


@dataclass(frozen=True, config=STRICT)
class Group:
    """Channels with a common limit.

    Attributes
    ----------
    channels
        Two or more of the model's channels.
    at_least, at_most
        Money of all of them together in the window; one of the two may be left out.
    """

    channels: tuple[str, ...] = Field(min_length=2)
    at_least: Money = 0.0
    at_most: Money | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if EVERY in self.channels:
            raise ValueError(f"{EVERY!r} is for relative_bounds; name the channels")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError(f"channels named twice: {', '.join(self.channels)}")
        if self.at_most is None and self.at_least == 0:
            raise ValueError("a group needs at_least or at_most")
        if self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is above at_most {self.at_most:g}")
        return self


@dataclass(frozen=True, config=STRICT)
class Scenario:
    """One question about the window.

    Attributes
    ----------
    name
        Lowercase name, part of file names.
    objective
        `response` (most incremental response for the budget), `profit` (most margin minus spend),
        `cvar` (best mean response of the worst draws), `target_response` (reach it at least cost),
        `target_roas` (most response while ROAS reaches the target) or `target_mroas` (spend until
        the next unit of money brings no more than the target).
    total_budget, relative_budget
        Money for the window, absolute or as a multiple of the last period's; all of it is spent for
        `response` and `cvar` (default: as much as in the last period), else it is a maximum.
    margin
        Money earned per unit of sales, for `profit`: a share where sales are money (0.4), money
        where they are orders.
    target
        For the three targets: sales by media in the window, or sales by media per unit of money.
    tail
        Share of the draws that `cvar` looks at, the worst ones.
    bounds, relative_bounds
        Lowest and highest total by channel, in money or as multiples of its last period; `*` in
        `relative_bounds` stands for all channels that are not named.
    default_bounds
        Of channels without any of those: most change from the last period (from its mix at the
        plan's budget), as a share, where the data have seen such spend; `seen`: as far as working
        (adstocked) spend stays where the data have seen it. Default: `seen` for a model that lift
        tests calibrate, else 0.3 (`benchmarks/plan_bounds.py`).
    fixed
        Channels that keep the money of the last period, week by week.
    groups
        Common limits, by a name of your own.
    profile
        How a channel's money is spread over the weeks: `even`, `historical` (the last period's
        pattern), `optimised` (week by week), or weights by channel; channels without weights are
        spread evenly.
    smoothness
        For `optimised`: most that a week may differ from the week before, as a share of the
        channel's mean week.
    """

    name: Slug
    objective: Objective = "response"
    description: str = ""
    total_budget: Positive | None = None
    relative_budget: OfLastPeriod | None = None
    margin: Positive | None = None
    target: Positive | None = None
    tail: OfDraws | None = None
    bounds: dict[str, tuple[Money, Money]] = field(default_factory=dict)
    relative_bounds: dict[str, tuple[Money, Money]] = field(default_factory=dict)
    default_bounds: (
        Annotated[
            Annotated[Literal["seen"], Tag("word")] | Annotated[OfChange, Tag("share")],
            Discriminator(lambda value: "word" if isinstance(value, str) else "share"),
        ]
        | None
    ) = None
    fixed: tuple[str, ...] = ()
    groups: dict[str, Group] = field(default_factory=dict)
    profile: Annotated[
        Annotated[Literal["even", "historical", "optimised"], Tag("word")]
        | Annotated[dict[str, tuple[Money, ...]], Tag("weights")],
        Discriminator(lambda value: "weights" if isinstance(value, Mapping) else "word"),
    ] = "even"
    smoothness: OfMeanWeek | None = None

    @field_validator("bounds", "relative_bounds")
    @classmethod
    def _in_order(cls, bounds: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        wrong = [
            f"{name}: [{low:g}, {high:g}]" for name, (low, high) in bounds.items() if low > high
        ]
        if wrong:
            raise ValueError(f"bounds must satisfy low <= high, got {'; '.join(wrong)}")
        return bounds

    @field_validator("relative_bounds")
    @classmethod
    def _multiples(cls, bounds: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        wrong = [
            f"{name}: [{low:g}, {high:g}], in percent [{low / 100:g}, {high / 100:g}]"
            for name, (low, high) in bounds.items()
            if low > PERCENT_FROM
        ]
        if wrong:
            raise ValueError(
                f"multiples of what the last period spent, low at most {PERCENT_FROM:g}, got "
                f"{'; '.join(wrong)}"
            )
        return bounds

    @model_validator(mode="after")
    def _settings_belong_together(self) -> Self:
        needed = NEEDS.get(self.objective)
        for name in ("margin", "target"):
            if name == needed and getattr(self, name) is None:
                raise ValueError(f"objective {self.objective} needs {name}")
            if name != needed and getattr(self, name) is not None:
                raise ValueError(f"{name} says nothing to objective {self.objective}; leave it out")
        if self.tail is not None and self.objective != "cvar":
            raise ValueError(f"tail says nothing to objective {self.objective}; leave it out")
        if self.total_budget is not None and self.relative_budget is not None:
            raise ValueError("give total_budget or relative_budget, not both")
        if self.smoothness is not None and self.profile != "optimised":
            raise ValueError("smoothness needs profile: optimised")
        if EVERY in {*self.bounds, *self.fixed, *self.weights}:
            raise ValueError(f"{EVERY!r} is for relative_bounds; name the channels")
        limited = [*self.bounds, *self.relative_bounds, *self.fixed]
        if twice := sorted({name for name in limited if limited.count(name) > 1}):
            raise ValueError(f"limited twice (bounds, relative_bounds, fixed): {', '.join(twice)}")
        return self

    def most_change(self, tested: bool) -> float | str:
        """Return the default bounds for a model that lift tests calibrate, or do not."""
        return self.default_bounds or (SEEN if tested else USUAL_STEP)

    @property
    def spends_all(self) -> bool:
        """Whether the budget is spent to the last unit; else it is the most that may be spent."""
        return self.objective in SPENDS_ALL

    @property
    def worst_share(self) -> float:
        """Share of draws that the objective looks at."""
        return (self.tail or 0.1) if self.objective == "cvar" else 1.0

    @property
    def weights(self) -> Mapping[str, tuple[float, ...]]:
        """Weekly weights by channel, where the profile gives some."""
        return self.profile if isinstance(self.profile, Mapping) else {}

    @property
    def named(self) -> dict[str, set[str]]:
        """Channels that are named, by setting."""
        return {
            "bounds": {*self.bounds},
            "relative_bounds": {*self.relative_bounds} - {EVERY},
            "fixed": {*self.fixed},
            "profile": {*self.weights},
            "groups": {name for group in self.groups.values() for name in group.channels},
        }

    @property
    def channels(self) -> set[str]:
        """Every channel that is named anywhere."""
        return set().union(*self.named.values())

    def require_weights(self, weeks: int) -> None:
        """Refuse a profile that has not one weight for each week of the window."""
        for channel, weights in self.weights.items():
            if len(weights) != weeks or not 0 < sum(weights) < math.inf:
                raise ValueError(
                    f"scenario {self.name}: profile of {channel} needs {weeks} weights, not all "
                    f"zero; got {len(weights)} that add up to {sum(weights):g}"
                )


@dataclass(frozen=True, config=STRICT)
class WindowConfig:
    """The weeks to plan, what a unit costs in them, and who solves.

    Attributes
    ----------
    weeks, start
        Length of the window; its first day, a whole number of weeks after the data (the week after
        them when omitted).
    cost_per_unit
        Money per unit of a channel's column, for channels that are not counted in money.
    engine
        Who looks for the best spend: `own`, PyMC-Marketing's BudgetOptimizer (`library`), or `both`
        side by side. What a plan brings is counted alike.
    """

    weeks: Count = Field(default=13, ge=1, le=104, kw_only=True)
    start: str | None = Field(default=None, kw_only=True)
    cost_per_unit: dict[str, Positive] = Field(default_factory=dict, kw_only=True)
    engine: Engine = Field(default="own", kw_only=True)

    @field_validator("start", mode="before")
    @classmethod
    def _is_a_day(cls, start: object) -> str | None:
        return as_day(start)


@dataclass(frozen=True, config=STRICT)
class BudgetConfig(Scenario, WindowConfig):
    """The plan that an experiment asks for: one scenario and its window."""

    name: Slug = "plan"
    # Experiments could always have these in quotes.
    total_budget: Annotated[Positive, QUOTED] | None = None
    bounds: dict[str, tuple[Annotated[Money, QUOTED], Annotated[Money, QUOTED]]] = field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        self.require_weights(self.weeks)
        return self

    @property
    def named(self) -> dict[str, set[str]]:
        """Channels that are named, by setting."""
        return super().named | {"cost_per_unit": {*self.cost_per_unit}}

    def plain(self) -> dict[str, Any]:
        """Return plain values; what versions were stored without only where it says something."""
        plain, default = asdict(self), asdict(BudgetConfig())
        return {
            **{name: plain[name] for name in FIRST_SETTINGS},
            **{name: value for name, value in plain.items() if value != default[name]},
        }

    def with_settings(self, asked: Mapping[str, Any]) -> "BudgetConfig":
        """Return the budget with other settings.

        What was said to another objective, or of another kind of budget, is not kept.

        Raises
        ------
        ConfigError
            When that is no possible budget.
        """
        plain = asdict(self)
        if asked.get("objective", self.objective) != self.objective:
            plain |= dict.fromkeys(("margin", "target", "tail"))
        if "total_budget" in asked:
            plain["relative_budget"] = None
        if "relative_budget" in asked:
            plain["total_budget"] = None
        where = "the plan asked for"
        return build(BudgetConfig, plain | dict(asked), where, whole="its settings")


@dataclass(frozen=True, config=STRICT)
class PlanRequest(WindowConfig):
    """A plan file: one window, one or more scenarios.

    Attributes
    ----------
    market
        Whose champion plans.
    scenarios
        Solved one by one and compared with a replay of the last period.
    """

    market: Slug
    scenarios: tuple[Scenario, ...]
    description: str = ""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        if not 1 <= len(names) <= MOST_SCENARIOS:
            raise ValueError(f"a plan has 1 to {MOST_SCENARIOS} scenarios, got {len(names)}")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"scenarios with one name: {', '.join(twice)}")
        taken = sorted({*names} & {name + OF_THE_LIBRARY for name in names})
        if self.engine == "both" and taken:
            raise ValueError(
                f"engine both calls the library's plans like scenarios of this file: "
                f"{', '.join(taken)}; give them other names"
            )
        for scenario in self.scenarios:
            scenario.require_weights(self.weeks)
        return self


def load_request(path: str | Path) -> PlanRequest:
    """Read a plan file.

    Raises
    ------
    FileNotFoundError, ConfigError
        When there is no such file, or it is not a valid request.
    """
    return build(PlanRequest, read_mapping(path, "plan", "experiments/plans"), str(path))
