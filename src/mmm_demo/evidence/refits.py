"""What every battery of refits has in common: refits that failed prove nothing."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mmm_demo.checks.gate import Check

UNCONVERGED_MAX = 0.2


def assessable(checks: Iterable[Check], converged: Sequence[bool]) -> tuple[Check, ...]:
    """Return the checks, not assessable when more than 1 refit in 5 did not converge.

    Parameters
    ----------
    checks
        Of a battery, computed over the refits that converged.
    converged
        One for each refit of the battery.
    """
    bad = sum(not item for item in converged)
    if converged and bad <= UNCONVERGED_MAX * len(converged):
        return tuple(checks)
    why = f"{bad} of {len(converged)} refits did not converge"
    advice = "simplify the model or raise evidence.draws and evidence.tune"
    return tuple(replace(item, value=math.nan, where=why, advice=advice) for item in checks)
