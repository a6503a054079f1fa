"""Sensitivity: whether ROAS and plan hang on choices that the data cannot decide."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.battery import Battery, Step, Watch, assessable
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.experiment import BudgetConfig, ModelConfig, with_forms, with_other
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.scenario import SEEN

STAGE = "sensitivity"
BASE = "as fitted"
MOVED_MAX = 0.25
MOST_MODES = 10  # that a model may have
ADVICE = "a modelling choice decides this result; say so, or test the channel in the field"


def roas_rows(variant: str, channels: list[str], draws: np.ndarray) -> pd.DataFrame:
    """Describe ROAS under a variant; `draws` has shape (sample, channel)."""
    lower, median, upper = np.quantile(draws, [0.03, 0.5, 0.97], axis=0)
    return pd.DataFrame(
        {
            "variant": variant,
            "channel": channels,
            "roas": median,
            "lower_94": lower,
            "upper_94": upper,
        }
    )


def sensitivity_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """Judge how far variants of the model move ROAS and the plan.

    Parameters
    ----------
    table
        Rows of `roas_rows` with planned (money by channel) and converged; the variant `as fitted`
        is the model itself.
    """
    base = table[table["variant"] == BASE].set_index("channel")
    others = table[(table["variant"] != BASE) & table["converged"]]
    converged = table[table["variant"] != BASE].groupby("variant")["converged"].all()
    return assessable([_roas(base, others), _plan(base, others)], list(converged))


def _roas(base: pd.DataFrame, others: pd.DataFrame) -> Check:
    """How far the most moved median lies from the base, in half-widths of the base's interval."""
    of = base.loc[others["channel"]]
    distance = others["roas"].to_numpy() - of["roas"].to_numpy()
    reach = np.where(distance > 0, of["upper_94"] - of["roas"], of["roas"] - of["lower_94"])
    moved = np.abs(distance) / reach
    value, where = _worst(moved, others["channel"] + " under " + others["variant"])
    return Check("sensitivity_roas", STAGE, value, "<=", 1.0, where, ADVICE)


def _plan(base: pd.DataFrame, others: pd.DataFrame) -> Check:
    """Largest share of the budget that a variant would put elsewhere."""
    moved, names = [], []
    for variant, rows in others.groupby("variant"):
        planned = rows.set_index("channel")["planned"]
        elsewhere = (planned - base["planned"]).abs().sum(skipna=False) / 2
        moved.append(float(elsewhere / base["planned"].sum()))
        names.append(f"under {variant}")
    value, where = _worst(np.array(moved), pd.Series(names, dtype=str))
    return Check("sensitivity_plan", STAGE, value, "<=", MOVED_MAX, where, ADVICE)


def _worst(values: np.ndarray, names: pd.Series) -> tuple[float, str]:
    if not len(values) or not np.isfinite(values).all():
        return float("nan"), "not measured"
    return float(values.max()), str(names.iloc[int(values.argmax())])


def variants(config: ModelConfig) -> dict[str, ModelConfig]:
    """Return the model under other lags, media, seasonality, and a baseline that moves."""
    modes = config.yearly_seasonality
    modes += 1 if modes < MOST_MODES else -1
    seasonal = {item.name for item in config.form("seasonality").parameters}
    priors = {
        name: replace(prior, parameters={n: _first(v) for n, v in prior.parameters.items()})
        if name in seasonal
        else prior
        for name, prior in config.priors.items()
    }
    base = config.form("baseline").other
    found = {f"{base} baseline": with_forms(config, baseline=base)} if base else {}
    found |= _other_lags(config) | _other_adstock(config)
    other = with_other(config, "saturation", lambda form: form.other)
    return found | {
        f"{_told(other, 'saturation')} saturation": other,
        f"{modes} seasonal modes": replace(config, yearly_seasonality=modes, priors=priors),
    }


def _other_lags(config: ModelConfig) -> dict[str, ModelConfig]:
    """Return the model with half of each lag; none where nothing is carried over."""
    if config.longest_lag == 1 < config.adstock_max_lag:
        return {}
    media = {
        channel: replace(entry, max_lag=entry.max_lag and _other_lag(entry.max_lag))
        for channel, entry in config.media.items()
    }
    lag = _other_lag(config.adstock_max_lag)
    own = {entry.max_lag for entry in media.values() if entry.max_lag} - {lag}
    told = " and ".join(map(str, [lag, *sorted(own)]))
    return {f"lag of {told} weeks": replace(config, adstock_max_lag=lag, media=media)}


def _other_lag(weeks: int) -> int:
    return weeks // 2 if weeks > 2 else weeks * 2


def _other_adstock(config: ModelConfig) -> dict[str, ModelConfig]:
    """Return the model with the other form of each adstock that has one."""
    other = with_other(config, "adstock", lambda form: form.other or form.name)
    same = other.form("adstock").name == config.form("adstock").name
    return {} if same else {f"{_told(other, 'adstock')} adstock": other}


def _told(config: ModelConfig, kind: str) -> str:
    names = dict.fromkeys(config.form(kind).name.split(", "))
    return " and ".join(name.replace("_", "-") for name in names)


def _first(value: float | tuple[float, ...]) -> float:
    return value[0] if isinstance(value, tuple) else value


def run_sensitivity(
    fitted: FittedModel, budget: BudgetConfig, evidence: EvidenceConfig, seed: int, watch: Watch
) -> pd.DataFrame:
    """Fit the same weeks under other modelling choices; ROAS and plan of each.

    Returns
    -------
    pandas.DataFrame
        Rows of `roas_rows` with planned and converged, the model itself first.
    """
    table, spend = fitted.table, fitted.spend.to_numpy()
    channels = list(fitted.config.channel_columns)
    base = roas_rows(BASE, channels, fitted.response.roas(spend))
    parts = [base.assign(planned=planned(fitted, budget), converged=True)]
    choices = variants(fitted.config)
    for number, (name, config) in enumerate(choices.items(), 1):
        refitter = Refitter(config, table, evidence)
        refit = refitter.fit(table, seed + number, fitted.lift_tests)
        rows = roas_rows(name, channels, refit.response.roas(spend))
        money = planned(refit.fitted(), budget) if refit.converged else float("nan")
        parts.append(rows.assign(planned=money, converged=refit.converged))
        measured = {f"roas.{row.channel}": row.roas for row in rows.itertuples()}
        watch(Step(STAGE, number, len(choices), name, refit, measured))
    return pd.concat(parts, ignore_index=True)


def planned(fitted: FittedModel, budget: BudgetConfig) -> np.ndarray | float:
    """Return the planned money by channel; NaN, which is not assessable, where none can be made.

    Channels without bounds go as far as the data have seen: narrower ones would hide how far models
    disagree.
    """
    wide = replace(budget, default_bounds=budget.default_bounds or SEEN)
    try:
        return optimize_budget(fitted, wide).table["planned"].to_numpy()
    except BudgetError:
        return float("nan")


SENSITIVITY = Battery(
    name=STAGE,
    question="Does the result outlast other modelling choices?",
    checks={
        "sensitivity_roas": "ROAS moved by another model, in half-widths",
        "sensitivity_plan": "share of the planned money moved by another model",
    },
    run=lambda of: run_sensitivity(of.fitted, of.budget, of.sampling, of.seed, of.watch),
    judge=sensitivity_checks,
)
