"""How strict the gate is, and how much evidence is gathered."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from mmm_demo.settings.batteries import EVIDENCE_BATTERIES, FIT_BATTERIES
from mmm_demo.settings.priors import STRICT

Count = Annotated[int, Field(strict=True)]  # neither text nor true nor 8.0
Number = Annotated[float, Field(strict=True)]  # neither text nor true
Battery = Literal[*FIT_BATTERIES, *EVIDENCE_BATTERIES]


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

    rhat_max: Number = Field(default=1.01, gt=1.0, le=1.01)
    ess_bulk_min: Number = Field(default=400.0, ge=400.0)
    ess_tail_min: Number = Field(default=400.0, ge=400.0)
    divergences_max: Count = Field(default=0, ge=0, le=0)
    chains_min: Count = Field(default=4, ge=4)
    prior_extreme_share_max: Number = Field(default=0.20, gt=0.0, le=0.20)
    prior_extreme_multiple: Number = Field(default=5.0, gt=1.0, le=5.0)
    bfmi_min: Number = Field(default=0.3, ge=0.3, lt=1.0)
    max_depth_share_max: Number = Field(default=0.05, ge=0.0, le=0.05)
    coverage_94_min: Number = Field(default=0.85, ge=0.85, lt=1.0)
    require: tuple[Battery, ...] = ()
    roas_range: tuple[Number, Number] | None = None
    worse_crps_max: Number = Field(default=0.05, ge=0.0, le=1.0)
    max_age_days: Count = Field(default=365, ge=1, le=365)
    max_gap_weeks: Count = Field(default=13, ge=0, le=13)

    @field_validator("roas_range")
    @classmethod
    def _range_in_order(cls, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given and not 0 <= given[0] < given[1]:
            raise ValueError(f"must be 0 <= low < high, got {list(given)}")
        return given

    def tighter_with(self, other: "GateConfig") -> "GateConfig":
        """Return the stricter of both, limit by limit."""
        return GateConfig(
            rhat_max=min(self.rhat_max, other.rhat_max),
            ess_bulk_min=max(self.ess_bulk_min, other.ess_bulk_min),
            ess_tail_min=max(self.ess_tail_min, other.ess_tail_min),
            divergences_max=min(self.divergences_max, other.divergences_max),
            chains_min=max(self.chains_min, other.chains_min),
            prior_extreme_share_max=min(
                self.prior_extreme_share_max, other.prior_extreme_share_max
            ),
            prior_extreme_multiple=min(self.prior_extreme_multiple, other.prior_extreme_multiple),
            bfmi_min=max(self.bfmi_min, other.bfmi_min),
            max_depth_share_max=min(self.max_depth_share_max, other.max_depth_share_max),
            coverage_94_min=max(self.coverage_94_min, other.coverage_94_min),
            require=tuple(dict.fromkeys((*self.require, *other.require))),
            roas_range=_narrower(self.roas_range, other.roas_range),
            worse_crps_max=min(self.worse_crps_max, other.worse_crps_max),
            max_age_days=min(self.max_age_days, other.max_age_days),
            max_gap_weeks=min(self.max_gap_weeks, other.max_gap_weeks),
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
