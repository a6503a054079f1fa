"""How strict the gate is, and how much evidence is gathered."""

from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from mmm_demo.settings.batteries import EVIDENCE_BATTERIES, FIT_BATTERIES
from mmm_demo.settings.kinds import Count, Number
from mmm_demo.settings.limit_table import BY_SETTING
from mmm_demo.settings.priors import STRICT

Battery = Literal[*FIT_BATTERIES, *EVIDENCE_BATTERIES]
BOUNDS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}  # as Field calls them


def _limit(setting: str) -> Any:
    """Return the field of a limit: its default, and the range that a user may move it in."""
    limit = BY_SETTING[setting]
    loosest = limit.default if limit.loosest is None else limit.loosest
    ends = {"le" if limit.upper else "ge": loosest}
    if limit.strictest:
        comparison, end = limit.strictest
        ends[BOUNDS[comparison]] = end
    return Field(default=limit.default, **ends)


@dataclass(frozen=True, config=STRICT)
class GateConfig:
    """Limits of the gate. A config may tighten them, never loosen them.

    Attributes
    ----------
    rhat_max, ess_bulk_min, ess_tail_min, divergences_max, chains_min
        Convergence, over exactly the sampled free parameters.
    prior_extreme_share_max
        Largest share of prior week-draws that are negative or above
        `prior_extreme_multiple` times the largest observed sale.
    bfmi_min, max_depth_share_max
        Convergence too: the worst chain's energy fraction, and the share of draws cut short at
        the largest tree depth.
    coverage_94_min
        Share of the fitted weeks inside the model's 94 % interval.
    require
        Batteries of checks that must pass too; all others are shown, but refuse nothing.
    roas_range
        Lowest and highest ROAS that are plausible in this market; unchecked when omitted.
    worse_crps_max
        How much worse than the champion's a challenger's mean backtest CRPS may be, as a share.
    max_age_days, max_gap_weeks
        A champion fitted longer ago, or on data that end more weeks before the planning window,
        does not plan.
    """

    rhat_max: Number = _limit("rhat_max")
    ess_bulk_min: Number = _limit("ess_bulk_min")
    ess_tail_min: Number = _limit("ess_tail_min")
    divergences_max: Count = _limit("divergences_max")
    chains_min: Count = _limit("chains_min")
    prior_extreme_share_max: Number = _limit("prior_extreme_share_max")
    prior_extreme_multiple: Number = _limit("prior_extreme_multiple")
    bfmi_min: Number = _limit("bfmi_min")
    max_depth_share_max: Number = _limit("max_depth_share_max")
    coverage_94_min: Number = _limit("coverage_94_min")
    require: tuple[Battery, ...] = ()
    roas_range: tuple[Number, Number] | None = None
    worse_crps_max: Number = _limit("worse_crps_max")
    max_age_days: Count = _limit("max_age_days")
    max_gap_weeks: Count = _limit("max_gap_weeks")

    @field_validator("roas_range")
    @classmethod
    def _range_in_order(cls, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given and not 0 <= given[0] < given[1]:
            raise ValueError(f"must be 0 <= low < high, got {list(given)}")
        return given

    def tighter_with(self, other: "GateConfig") -> "GateConfig":
        """Return the stricter of both, limit by limit."""
        stricter = {
            name: limit.stricter(getattr(self, name), getattr(other, name))
            for name, limit in BY_SETTING.items()
        }
        return GateConfig(
            **stricter,
            require=tuple(dict.fromkeys((*self.require, *other.require))),
            roas_range=_narrower(self.roas_range, other.roas_range),
        )


def _narrower(
    one: tuple[float, float] | None, other: tuple[float, float] | None
) -> tuple[float, float] | None:
    if one is None or other is None:
        return one or other
    return max(one[0], other[0]), min(one[1], other[1])


@dataclass(frozen=True, config=STRICT)
class EvidenceConfig:
    """How much evidence `mmm-demo evidence` gathers; each item is a refit.

    Attributes
    ----------
    folds, horizon_weeks
        Of the backtest: rolling origins and weeks forecast from each. The horizon shrinks where
        the folds would take more than half of the weeks.
    replicates
        Of the parameter recovery.
    placebos
        Shifted channels; two of three must be seen through.
    draws, tune
        Per chain of each refit.
    """

    folds: Count = Field(default=5, ge=2, le=26)
    horizon_weeks: Count = Field(default=8, ge=1, le=26)
    replicates: Count = Field(default=5, ge=2, le=100)
    placebos: Count = Field(default=3, ge=3, le=9)
    draws: Count = Field(default=1000, ge=500, le=10_000)
    tune: Count = Field(default=500, ge=300, le=10_000)
