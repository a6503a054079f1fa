"""The limits of the gate, told once: what each bounds, how loose it may be, and who may move it.

Everything else derives from this table, and it needs nothing: the verdict must not.
"""

from dataclasses import dataclass

COMPARISONS = {
    "<": lambda value, limit: value < limit,
    ">": lambda value, limit: value > limit,
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
}


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes
    ----------
    setting
        Its name in an experiment's `gate`; empty for what nobody may move.
    comparison
        Passing side: what passes lies there, and so do stricter limits.
    default
        The project's own.
    check, stage
        The required check that it bounds, and its step; empty where it bounds none.
    strictest
        Comparison that every limit keeps: what nothing could keep is no limit.
    loosest
        How loose a user may make it; never looser than the default where it is left out.
    """

    setting: str
    comparison: str
    default: float
    check: str = ""
    stage: str = ""
    strictest: tuple[str, float] | None = None
    loosest: float | None = None

    @property
    def upper(self) -> bool:
        """Whether values stay below it."""
        return self.comparison in ("<", "<=")

    def stricter(self, one: float, other: float) -> float:
        """Return the stricter of two limits."""
        return min(one, other) if self.upper else max(one, other)

    def allows(self, limit: float) -> bool:
        """Whether another limit is at least as strict as the project's; NaN is not."""
        return limit <= self.default if self.upper else limit >= self.default


SAMPLING = "convergence"  # the step that judges every fit and every refit
LIMITS = (
    Limit("prior_extreme_share_max", "<=", 0.20, "prior_extreme_share", "prior", (">", 0.0)),
    Limit("rhat_max", "<", 1.01, "rhat_max", SAMPLING, (">", 1.0)),
    Limit("ess_bulk_min", ">", 400.0, "ess_bulk_min", SAMPLING),
    Limit("ess_tail_min", ">", 400.0, "ess_tail_min", SAMPLING),
    Limit("divergences_max", "<=", 0, "divergences", SAMPLING, (">=", 0)),
    Limit("chains_min", ">=", 4, "chains", SAMPLING),
    Limit("bfmi_min", ">=", 0.3, "bfmi_min", SAMPLING, ("<", 1.0)),
    Limit("max_depth_share_max", "<=", 0.05, "max_depth_share", SAMPLING, (">=", 0.0)),
    Limit("coverage_94_min", ">=", 0.85, "coverage_94", "posterior_predictive", ("<", 1.0)),
    Limit("", "<=", 1e-6, "decomposition_gap", "decomposition"),
    Limit("prior_extreme_multiple", "<=", 5.0, strictest=(">", 1.0)),
    Limit("worse_crps_max", "<=", 0.05, strictest=(">=", 0.0), loosest=1.0),
    Limit("max_age_days", "<=", 365, strictest=(">=", 1)),
    Limit("max_gap_weeks", "<=", 13, strictest=(">=", 0)),
)
BY_SETTING = {limit.setting: limit for limit in LIMITS if limit.setting}
BY_CHECK = {limit.check: limit for limit in LIMITS if limit.check}
