"""Specification: what the residuals still know about spend, time and the future.

Added-variable tests. Sales are regressed on what the model has (controls, season, its own media
contributions) and on something that a right model leaves without effect; the F-test says whether
that improves the regression more than chance would. They need no refit, and see faults that
neither convergence nor coverage shows (`benchmarks/worlds.py`).

All but the demand check take the one-step law of the noise (`forms.kinds.Noise`): where residuals
hang together, sales and all that explains them are first turned into what is new in each week
(`Response.innovations`), which chance then scatters independently.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from mmm_demo.checks.gate import Check
from mmm_demo.fits.fitted import FittedModel

PREDICTIVE, IDENTIFICATION = "posterior_predictive", "identification"
P_MIN = 0.01  # of the smallest p-value times the number of channels
CUSUM_MAX = 1.36  # 5 % critical value of the largest cumulated residual
FOLLOWS_MAX = 0.5
MEMORY_DRAWS = "y_rho"  # of a model whose noise hangs together
MEMORY_MAX = 0.2  # about where 156 weeks show that residuals follow each other
LATER_LAGS = ((3, 5), (6, 8), (9, 12))  # weeks after the spend, first and last
LEADS = (1, 2)
MIN_FREE_WEEKS = 12  # that must be left to judge by
CONSTANT_TOLERANCE = 1e-9  # relative spread below which something is constant up to float noise

Turn = Callable[[np.ndarray], np.ndarray]  # (week, ...) -> the same shape
Added = Callable[[np.ndarray, np.ndarray], np.ndarray]  # spend, contribution -> (week, variable)


def specification_checks(fitted: FittedModel) -> tuple[Check, ...]:
    """Judge the residuals of a fit and who follows whom, see `added_variable_checks`."""
    response, table = fitted.response, fitted.table
    media = response.contributions(fitted.spend.to_numpy()).mean(axis=0)
    others = response.others(table)
    residuals = fitted.observed - media.sum(axis=1) - others.mean(axis=0)
    spend, channels = fitted.spend.to_numpy(), list(fitted.config.channel_columns)
    design = response.design(table)
    checks = (
        *added_variable_checks(
            fitted.observed, media, spend, design, channels, response.innovations
        ),
        cusum_check(response.innovations(residuals)),
    )
    if MEMORY_DRAWS in (posterior := fitted.trace["posterior"].to_dataset()):
        checks = (*checks, memory_check(posterior[MEMORY_DRAWS].to_numpy().ravel()))
    if not design.shape[1]:  # neither controls nor season: the model knows of no demand to follow
        return checks
    return (*checks, demand_check(spend, others.mean(axis=0), channels))


def added_variable_checks(
    observed: np.ndarray,
    media: np.ndarray,
    spend: np.ndarray,
    design: np.ndarray,
    channels: list[str],
    turn: Turn = np.asarray,
) -> tuple[Check, ...]:
    """Judge whether another curve, later lags, drift or future spend would explain sales better.

    Of a channel whose spend or contribution never changes nothing of this can be told.

    Parameters
    ----------
    observed
        Sales, shape (week,).
    media
        Mean contributions, shape (week, channel).
    spend
        Money, shape (week, channel).
    design
        Controls and seasonal basis, shape (week, variable).
    channels
        Names.
    turn
        Makes of weeks that hang together what is new in each.
    """
    tests: dict[str, tuple[str, Added, str]] = {
        "p_other_curve": (
            PREDICTIVE,
            _powers,
            "the saturation curve has another form, or spend follows something unobserved",
        ),
        "p_later_lags": (PREDICTIVE, _later_lags, "spend works later or longer"),
        "p_drifting_effect": (
            PREDICTIVE,
            _drift,
            "the channel's effect changes over time, or its curve does: curvature and drift cannot "
            "be told apart by such data",
        ),
        "p_future_spend": (
            IDENTIFICATION,
            _leads,
            "next weeks' spend explains this week's sales: both follow something unobserved; find "
            "that control or calibrate with a lift test",
        ),
    }
    base = turn(np.column_stack([np.ones(len(observed)), design, media]))
    usable, checks = _varies(spend) & _varies(media), []
    for name, (stage, added, advice) in tests.items():
        found = [
            added_variable_p(turn(observed), base, turn(added(spend[:, index], media[:, index])))
            if usable[index]
            else float("nan")
            for index in range(len(channels))
        ]
        worst = int(np.argmin(found))  # NaN is the smallest for argmin
        value = min(1.0, found[worst] * len(found)) if np.isfinite(found).all() else float("nan")
        checks.append(Check(name, stage, value, ">=", P_MIN, channels[worst], advice))
    return tuple(checks)


def _powers(spend: np.ndarray, contribution: np.ndarray) -> np.ndarray:
    scaled = contribution / np.abs(contribution).max()
    return np.column_stack([scaled**2, scaled**3])


def _later_lags(spend: np.ndarray, contribution: np.ndarray) -> np.ndarray:
    means = []
    for first, last in LATER_LAGS:
        lagged = [
            np.concatenate([np.zeros(lag), spend])[: len(spend)] for lag in range(first, last + 1)
        ]
        means.append(np.mean(lagged, axis=0))
    return np.column_stack(means)


def _drift(spend: np.ndarray, contribution: np.ndarray) -> np.ndarray:
    return (contribution * np.linspace(-1.0, 1.0, len(contribution)))[:, None]


def _leads(spend: np.ndarray, contribution: np.ndarray) -> np.ndarray:
    """Return future spend, without the last weeks, whose future is unknown."""
    level = np.log1p(spend / spend.mean())
    weeks = len(spend) - max(LEADS)
    return np.column_stack([level[lead : lead + weeks] for lead in LEADS])


def added_variable_p(observed: np.ndarray, base: np.ndarray, added: np.ndarray) -> float:
    """Return the p-value of the F-test that added variables have no effect.

    Parameters
    ----------
    observed
        Sales, shape (week,).
    base, added
        Explanatory variables, shape (week, variable). `added` may have the first weeks alone; the
        test is then about those.

    Returns
    -------
    float
        NaN when a value is not finite, too few weeks are left to tell, or the regression leaves
        no residuals. 1 when `added` follows from `base`, so that it cannot explain anything more.
    """
    finite = all(np.isfinite(item).all() for item in (observed, base, added))
    if not finite or len(added) < MIN_FREE_WEEKS:
        return float("nan")
    observed, base = observed[: len(added)], base[: len(added)]
    both = _scaled(np.column_stack([base, added]))
    base = both[:, : base.shape[1]]
    ranks = [np.linalg.matrix_rank(item) for item in (base, both)]
    free, more = len(observed) - ranks[1], ranks[1] - ranks[0]
    if free < MIN_FREE_WEEKS:
        return float("nan")
    if not more:
        return 1.0
    before, after = (_squares(observed, item) for item in (base, both))
    if after <= np.finfo(float).eps * (observed**2).sum():  # float noise, not residuals
        return float("nan")
    return float(stats.f.sf((before - after) / more / (after / free), more, free))


def _scaled(design: np.ndarray) -> np.ndarray:
    size = np.abs(design).max(axis=0)
    return design / np.where(size > 0, size, 1.0)


def _squares(observed: np.ndarray, design: np.ndarray) -> float:
    solution = np.linalg.lstsq(design, observed, rcond=None)[0]
    return float(((observed - design @ solution) ** 2).sum())


def _varies(values: np.ndarray) -> np.ndarray:
    """Say of each column whether it is finite and not constant; shape (variable,)."""
    low, high = values.min(axis=0), values.max(axis=0)
    constant = np.isclose(low, high, rtol=CONSTANT_TOLERANCE, atol=0.0)
    return np.isfinite(low) & np.isfinite(high) & ~constant


def cusum_check(residuals: np.ndarray) -> Check:
    """Judge whether residuals stay on one side for too long (OLS-CUSUM); shape (week,)."""
    weeks, value, where = len(residuals), float("nan"), "not measured"
    if weeks >= MIN_FREE_WEEKS and _varies(residuals):
        centred = residuals - residuals.mean()
        path = np.abs(np.cumsum(centred)) / (centred.std() * np.sqrt(weeks))
        value, where = float(path.max()), f"week {int(path.argmax()) + 1} of {weeks}"
    return Check(
        "residual_cusum",
        PREDICTIVE,
        value,
        "<=",
        CUSUM_MAX,
        where,
        "the level of sales broke there: add a control for what happened",
    )


def memory_check(shares: np.ndarray) -> Check:
    """Judge whether something that nobody named goes on from week to week.

    Noise that hangs together widens the intervals; it does not say what made it so. Where spend
    follows that, its ROAS is wrong, and no residual shows it any more.

    Parameters
    ----------
    shares
        Draws of the share of a week's residual that is left in the next, shape (sample,).
    """
    finite = bool(shares.size and np.isfinite(shares).all())
    return Check(
        "residual_memory",
        IDENTIFICATION,
        float(np.median(shares)) if finite else float("nan"),
        "<=",
        MEMORY_MAX,
        "share of a week's residual that is left in the next",
        "what makes the weeks hang together is not known, and where spend follows it ROAS is "
        "wrong: find that control or calibrate with a lift test",
    )


def demand_check(spend: np.ndarray, baseline: np.ndarray, channels: list[str]) -> Check:
    """Judge whether a budget follows the demand that it is meant to explain.

    Parameters
    ----------
    spend
        Money, shape (week, channel).
    baseline
        Sales without media, shape (week,).
    channels
        Names.
    """
    enough = len(baseline) >= MIN_FREE_WEEKS and _varies(baseline)
    follows = [
        float(np.corrcoef(np.log1p(money / money.mean()), baseline)[0, 1])
        if usable
        else float("nan")
        for money, usable in zip(spend.T, _varies(spend) & enough, strict=True)
    ]
    worst = int(np.argmax(follows))  # NaN is the largest for argmax
    return Check(
        "spend_follows_demand",
        IDENTIFICATION,
        follows[worst],
        "<=",
        FOLLOWS_MAX,
        channels[worst],
        "its spend is high when sales are high anyway, so its ROAS is in doubt: calibrate it with "
        "a lift test",
    )
