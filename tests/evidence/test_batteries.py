"""What each battery refits, on what, and what it makes of the answers.

The refits are canned here: parameters drawn from the seed, in no time. What a real refit answers
is the business of `test_refit`.
"""

from collections import Counter
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from default_priors import DEFAULT_PRIORS
from drawn_model import drawn_model
from helpers import good_checks
from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence import placebo, sensitivity
from mmm_demo.evidence.backtest import (
    backtest_checks,
    backtest_folds,
    fold_table,
    folds,
    run_backtest,
)
from mmm_demo.evidence.placebo import placebo_checks, run_placebo
from mmm_demo.evidence.recovery import recovery_checks, run_recovery
from mmm_demo.evidence.refit import Refit
from mmm_demo.evidence.sensitivity import run_sensitivity, sensitivity_checks, variants
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.planning.optimize import BudgetError
from mmm_demo.settings.experiment import BudgetConfig, ModelConfig, ScalingConfig, free_parameters
from mmm_demo.settings.limits import EvidenceConfig

EVIDENCE = EvidenceConfig(folds=5, horizon_weeks=6, replicates=3, placebos=3)
CONVERGED = GateReport(tuple(c for c in good_checks() if c.stage == "convergence"))
UNCONVERGED = GateReport(tuple(c for c in good_checks(rhat_max=1.5) if c.stage == "convergence"))
LIFT_TESTS = pd.DataFrame({"channel": ["TV"]})


def posterior_of(config: ModelConfig, seed: int, draws: int = 40) -> xr.Dataset:
    """Return draws that depend on the seed alone, with little noise."""
    rng, found = np.random.default_rng(seed), {}
    for name, size in free_parameters(config).items():
        single = name in ("intercept_contribution", "y_sigma", "y_rho")
        shape = (2, draws) if single else (2, draws, size)
        dims = ("chain", "draw") if single else ("chain", "draw", name)
        low, high = (0.001, 0.005) if name == "y_sigma" else (0.05, 0.5)
        found[name] = (dims, rng.uniform(low, high, shape))
    return xr.Dataset(found)


class Canned:
    """A refitter without a sampler, which remembers what it was asked."""

    made: list["Canned"]

    def __init__(self, config, table, sampling):
        self.config, self.table, self.sampling = config, table, sampling
        self.scaling = config.scaling or scaling_of(config, table)
        self.asked: list[SimpleNamespace] = []
        self.refits: list[Refit] = []
        self.bad: set[int] = set()
        Canned.made.append(self)

    def fit(self, table, seed, lift_tests=None):
        self.asked.append(SimpleNamespace(table=table.copy(), seed=seed, lift_tests=lift_tests))
        fixed = replace(self.config, scaling=self.scaling)
        response = Response(fixed, self.scaling, posterior_of(fixed, seed), table)
        report = UNCONVERGED if len(self.asked) in self.bad else CONVERGED
        self.refits.append(Refit(response, report))
        return self.refits[-1]


@pytest.fixture(autouse=True)
def canned(monkeypatch):
    """Every refitter that a battery makes is canned."""
    Canned.made = []
    for battery in (placebo, sensitivity):
        monkeypatch.setattr(battery, "Refitter", Canned)


@pytest.fixture
def fitted():
    return drawn_model()


@pytest.fixture
def refitter(fitted):
    return Canned(fitted.config, fitted.table, EVIDENCE)


@pytest.fixture
def steps():
    return []


def assert_counted(steps, battery, total):
    assert [(step.battery, step.number, step.total) for step in steps] == [
        (battery, number, total) for number in range(1, total + 1)
    ]
    assert len({step.name for step in steps}) == total
    assert all(step.measured for step in steps)


def others(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="Sales")


# Backtest


def test_each_fold_trains_on_nothing_but_the_weeks_before_its_forecast(fitted, refitter, steps):
    table = fitted.table
    rows = run_backtest(refitter, table, LIFT_TESTS, 7, steps.append)
    plan = folds(len(table), 5, 6)
    assert len(refitter.asked) == len(plan)
    for number, ((train, end), asked) in enumerate(zip(plan, refitter.asked, strict=True), 1):
        pd.testing.assert_frame_equal(asked.table, table.iloc[:train])
        fold = rows[rows["fold"] == number]
        assert (fold["week"].to_numpy() == table["Week"].iloc[train:end].to_numpy()).all()
        assert (fold["observed"].to_numpy() == table["Sales"].iloc[train:end].to_numpy()).all()
        assert asked.table["Week"].max() < fold["week"].min()
    assert rows["week"].max() == table["Week"].max()
    assert len({asked.seed for asked in refitter.asked}) == 5
    assert all(asked.lift_tests is LIFT_TESTS for asked in refitter.asked)
    assert_counted(steps, "backtest", 5)


def test_later_sales_reach_no_earlier_forecast(fitted, refitter, steps):
    changed = fitted.table.copy()
    changed.loc[changed.index[-6:], "Sales"] *= 10
    one, two = (
        run_backtest(refitter, table, None, 7, steps.append) for table in (fitted.table, changed)
    )
    pd.testing.assert_frame_equal(one[one["fold"] < 5], two[two["fold"] < 5])
    forecast = ["mean", "lower_94", "upper_94", "naive"]
    pd.testing.assert_frame_equal(one[forecast], two[forecast])
    assert (two["crps"] > one["crps"])[one["fold"] == 5].all()


def test_the_forecast_is_the_refits_own_for_the_spend_that_came(fitted, refitter, steps):
    rows = run_backtest(refitter, fitted.table, None, 7, steps.append)
    train, end = folds(len(fitted.table), 5, 6)[1]
    response = refitter.refits[1].response
    assert len(response.training) == train
    mean = response.mean(fitted.table.head(end))[:, train:].mean(axis=0)
    assert rows.loc[rows["fold"] == 2, "mean"].to_numpy() == pytest.approx(mean, rel=0.01)
    idle = fitted.table.assign(TV=0.0, Radio=0.0).head(end)
    assert response.mean(idle)[:, train:].mean(axis=0) != pytest.approx(mean, rel=0.01)
    # Carryover of earlier spend counts: the weeks to forecast do not stand alone.
    assert response.mean(fitted.table.iloc[train:end]).mean(axis=0)[0] < mean[0]


def test_where_residuals_hang_together_a_forecast_starts_from_the_last_one_it_knows(fitted, steps):
    config, changed = replace(fitted.config, autocorrelation=True), fitted.table.copy()
    train, end = folds(len(changed), 5, 6)[-1]
    changed.loc[train - 1, "Sales"] += 1e6  # in the last week that the last fold knows
    means = []
    for table in (fitted.table, changed):
        refitter = Canned(config, fitted.table, EVIDENCE)
        rows = run_backtest(refitter, table, None, 7, steps.append)
        means.append(rows.loc[rows["fold"] == 5, "mean"].to_numpy())
    rho = refitter.refits[-1].response.draws("y_rho")
    fades = (1e6 * rho[:, None] ** np.arange(1, end - train + 1)).mean(axis=0)
    assert means[1] - means[0] == pytest.approx(fades, rel=1e-6)


def test_truths_of_recovery_hang_together_as_the_posterior_says(fitted, steps):
    """Simulated sales keep a part of each week's residual, from the first week on."""
    config = replace(fitted.config, autocorrelation=True)
    posterior = posterior_of(config, 3)
    posterior["y_rho"] = xr.full_like(posterior["y_rho"], 0.9)
    response = Response(config, scaling_of(config, fitted.table), posterior, fitted.table)
    refitter = Canned(config, fitted.table, EVIDENCE)
    run_recovery(refitter, response, 5, steps.append)
    found = []
    for asked in refitter.asked:
        left = asked.table["Sales"].to_numpy() - response.mean(fitted.table)
        nearest = left[np.argmin((left**2).sum(axis=1))]
        found.append(np.corrcoef(nearest[1:], nearest[:-1])[0, 1])
    assert len(found) == EVIDENCE.replicates and min(found) > 0.6


def test_folds_that_did_not_converge_are_marked_and_one_in_five_is_left_out(
    fitted, refitter, steps
):
    refitter.bad = {2}
    rows = run_backtest(refitter, fitted.table, None, 7, steps.append)
    assert set(rows.loc[~rows["converged"], "fold"]) == {2}
    assert all(np.isfinite(check.value) for check in backtest_checks(fold_table(rows)))
    refitter.bad = {7, 8}
    rows = run_backtest(refitter, fitted.table, None, 7, steps.append)
    assert all(np.isnan(check.value) for check in backtest_checks(fold_table(rows)))


def test_too_few_weeks_are_refused_before_any_refit(fitted, refitter, steps):
    with pytest.raises(ValueError, match="9 weeks are too few"):
        run_backtest(refitter, fitted.table.head(9), None, 7, steps.append)
    assert refitter.asked == steps == []


def test_folds_are_fitted_one_by_one_as_they_are_asked_for(fitted, refitter):
    plan = folds(len(fitted.table), 5, 6)
    for number, fold in enumerate(backtest_folds(refitter, fitted.table, LIFT_TESTS, 7), 1):
        assert len(refitter.asked) == number
        assert (fold.number, fold.total) == (number, len(plan))
        assert fold.refit is refitter.refits[-1]
        assert set(fold.forecast["fold"]) == {number}
        if number == 2:
            break
    assert len(refitter.asked) == 2


def test_the_folds_together_are_the_backtest(fitted, refitter, steps):
    whole = run_backtest(refitter, fitted.table, None, 7, steps.append)
    parts = [fold.forecast for fold in backtest_folds(refitter, fitted.table, None, 7)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_a_refit_keeps_what_its_sampler_told():
    drawn = drawn_model()
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((2, 30), bool))})
    tree = Refit(drawn.response, CONVERGED, stats).fitted().trace
    xr.testing.assert_identical(tree["sample_stats"].to_dataset(), stats)


# Recovery


def test_only_sales_are_simulated_everything_else_is_the_users_own(fitted, refitter, steps):
    run_recovery(refitter, fitted.response, 7, steps.append)
    assert len(refitter.asked) == 3
    for asked in refitter.asked:
        pd.testing.assert_frame_equal(others(asked.table), others(fitted.table))
        assert not np.isclose(asked.table["Sales"], fitted.table["Sales"]).any()
        assert asked.lift_tests is None
    assert len({asked.seed for asked in refitter.asked}) == 3
    assert_counted(steps, "recovery", 3)


def test_the_truth_is_one_draw_of_the_posterior_under_the_fits_scaling(fitted, refitter, steps):
    response, spend = fitted.response, fitted.spend.to_numpy()
    rows = run_recovery(refitter, response, 7, steps.append)
    brought = response.contributions(spend).sum(axis=1)
    drawn = []
    for number, asked in enumerate(refitter.asked, 1):
        of = rows[rows["replicate"] == number].set_index(["quantity", "channel"])["truth"]
        true = of["contribution"][["TV", "Radio"]].to_numpy()
        (draw,) = np.flatnonzero(np.isclose(brought, true, rtol=1e-12).all(axis=1))
        roas = response.roas(spend)[draw]
        assert of["ROAS"][["TV", "Radio"]].to_numpy() == pytest.approx(roas, rel=1e-12)
        noise = asked.table["Sales"].to_numpy() - response.mean(fitted.table)[draw]
        assert noise.std() == pytest.approx(response.noise[draw], rel=0.3)
        assert abs(noise.mean()) < 5 * response.noise[draw] / len(noise) ** 0.5
        drawn.append(draw)
    assert len(set(drawn)) == 3


def test_estimates_are_the_refits_and_convergence_is_kept(fitted, refitter, steps):
    refitter.bad = {3}
    rows = run_recovery(refitter, fitted.response, 7, steps.append)
    assert Counter(rows["quantity"]) == {"contribution": 6, "ROAS": 6}
    assert set(rows.loc[~rows["converged"], "replicate"]) == {3}
    assert all(np.isnan(check.value) for check in recovery_checks(rows))  # 1 of 3
    spend = fitted.spend.to_numpy()
    for number, refit in enumerate(refitter.refits, 1):
        of = rows[rows["replicate"] == number].set_index(["quantity", "channel"])["median"]
        brought = np.median(refit.response.contributions(spend).sum(axis=1), axis=0)
        assert of["contribution"].to_numpy() == pytest.approx(brought)
        assert of["ROAS"].to_numpy() == pytest.approx(np.median(refit.response.roas(spend), axis=0))


def test_the_seed_decides_the_truths(fitted, refitter, steps):
    one, same, other = (
        run_recovery(refitter, fitted.response, seed, steps.append) for seed in (7, 7, 8)
    )
    pd.testing.assert_frame_equal(one, same)
    assert not one["truth"].equals(other["truth"])


# Placebo


def changed(fitted: FittedModel, weeks: int | None = None, **settings) -> FittedModel:
    """Return the model with other settings, on its first weeks; its draws are not used."""
    weekly = xr.Dataset.from_dataframe(fitted.table.head(weeks or 104).rename_axis("row"))
    trace = xr.DataTree.from_dict({WEEKLY_TABLE: weekly})
    return FittedModel(replace(fitted.config, **settings), trace)


def calibrated(fitted: FittedModel) -> FittedModel:
    """Return the model as one that lift tests calibrate."""
    model = FittedModel(fitted.config, fitted.trace)
    model.__dict__["lift_tests"] = LIFT_TESTS  # the cached property
    return model


def placebo_asked() -> list[SimpleNamespace]:
    """Return what each placebo's refitter was asked: once each."""
    assert all(len(made.asked) == 1 for made in Canned.made)
    return [made.asked[0] for made in Canned.made]


def test_a_placebo_is_one_channel_more_shifted_beyond_the_lag(fitted, steps):
    table = fitted.table
    run_placebo(fitted, EVIDENCE, 7, steps.append)
    shifts = []
    for made, asked in zip(Canned.made, placebo_asked(), strict=True):
        assert made.config.channel_columns == ("TV", "Radio", "placebo")
        assert made.sampling == EVIDENCE
        pd.testing.assert_frame_equal(asked.table.drop(columns="placebo"), table)
        matches = [
            shift
            for shift in range(len(table))
            if (np.roll(table["TV"], shift) == asked.table["placebo"]).all()
        ]
        shifts += matches
    lag, weeks = fitted.config.adstock_max_lag, len(table)
    assert len(set(shifts)) == 3
    assert all(lag < shift < weeks - lag for shift in shifts)
    assert all(abs(shift - 52) > lag for shift in shifts)  # evenly spread, one would be a year
    assert len({asked.seed for asked in placebo_asked()}) == 3
    assert_counted(steps, "placebo", 3)


def test_a_prior_for_each_channel_gets_the_sources_and_all_else_stays(fitted, steps):
    config = fitted.config
    run_placebo(fitted, EVIDENCE, 7, steps.append)
    for made in Canned.made:
        longer = made.config
        assert config.priors["saturation_beta"].parameters["sigma"] == (0.2, 0.4)
        assert longer.priors["saturation_beta"].parameters["sigma"] == (0.2, 0.4, 0.2)  # TV's
        for name in set(config.priors) - {"saturation_beta"}:
            assert longer.priors[name] == config.priors[name]
        other = {item.name for item in fields(config)} - {"channel_columns", "priors", "scaling"}
        assert all(getattr(longer, name) == getattr(config, name) for name in other)


def test_a_control_prior_for_each_control_is_not_lengthened(fitted, steps):
    prior = {"distribution": "Normal", "mu": [0.1], "sigma": [0.2], "rationale": "test"}
    model = changed(fitted, priors=fitted.config.priors | {"gamma_control": prior})
    run_placebo(model, EVIDENCE, 7, steps.append)
    longer = Canned.made[0].config.priors["gamma_control"]
    assert longer == model.config.priors["gamma_control"]


def test_with_priors_of_their_own_only_the_largest_channel_is_shifted(fitted, steps):
    rows = run_placebo(fitted, EVIDENCE, 7, steps.append)
    assert fitted.spend.sum().idxmax() == "TV"
    assert rows["channel"].tolist() == ["TV"] * 3


def test_with_common_priors_channels_take_turns_from_the_largest_on(fitted, steps):
    rows = run_placebo(changed(fitted, priors={}), EVIDENCE, 7, steps.append)
    assert rows["channel"].tolist() == ["TV", "Radio", "TV"]
    for row, asked in zip(rows.itertuples(), placebo_asked(), strict=True):
        rolled = np.roll(fitted.table[row.channel], row.shift_weeks)
        assert (rolled == asked.table["placebo"]).all()


def test_each_placebo_is_on_its_sources_own_scale(fitted, steps):
    largest = fitted.spend.max()
    assert largest["TV"] != largest["Radio"]
    run_placebo(changed(fitted, priors={}), EVIDENCE, 7, steps.append)
    scales = [made.scaling.channels for made in Canned.made]
    own = (largest["TV"], largest["Radio"])
    assert scales == [(*own, largest[name]) for name in ("TV", "Radio", "TV")]


def test_a_fixed_scaling_gets_the_sources_scale(fitted, steps):
    scaling = ScalingConfig(2e6, (3e5, 1e5))
    run_placebo(changed(fitted, priors={}, scaling=scaling), EVIDENCE, 7, steps.append)
    assert [made.config.scaling for made in Canned.made] == [
        ScalingConfig(2e6, (3e5, 1e5, scale)) for scale in (3e5, 1e5, 3e5)
    ]


def test_lift_tests_calibrate_the_model_with_a_placebo_too(fitted, steps):
    run_placebo(calibrated(fitted), EVIDENCE, 7, steps.append)
    assert all(asked.lift_tests is LIFT_TESTS for asked in placebo_asked())
    Canned.made.clear()
    run_placebo(fitted, EVIDENCE, 7, steps.append)
    assert all(asked.lift_tests is None for asked in placebo_asked())


def test_shares_are_the_placebos_own_of_all_sales(fitted, steps):
    rows = run_placebo(fitted, EVIDENCE, 7, steps.append)
    for row, made in zip(rows.itertuples(), Canned.made, strict=True):
        (refit,) = made.refits
        table = refit.response.training
        spend = table[["TV", "Radio", "placebo"]].to_numpy()
        with_it = refit.response.contributions(spend).sum(axis=(1, 2))
        spend[:, 2] = 0.0
        without = refit.response.contributions(spend).sum(axis=(1, 2))
        shares = (with_it - without) / table["Sales"].sum()
        found = [row.share_lower_5, row.share_median, row.share_upper_95]
        assert found == pytest.approx(np.quantile(shares, [0.05, 0.5, 0.95]))
    assert np.isfinite(placebo_checks(rows)[0].value)


def test_a_placebo_that_did_not_converge_is_marked(fitted, steps, monkeypatch):
    class Failing(Canned):
        def __init__(self, *args):
            super().__init__(*args)
            self.bad = {1} if len(Canned.made) == 2 else set()

    monkeypatch.setattr(placebo, "Refitter", Failing)
    rows = run_placebo(fitted, EVIDENCE, 7, steps.append)
    assert rows["converged"].tolist() == [True, False, True]
    assert np.isnan(placebo_checks(rows)[0].value)  # 1 of 3


def test_too_few_weeks_to_shift_are_refused_before_any_refit(fitted, steps):
    with pytest.raises(ValueError, match="16 weeks are too few"):
        run_placebo(changed(fitted, weeks=16), EVIDENCE, 7, steps.append)
    assert Canned.made == steps == []


# Sensitivity


def differing(one: ModelConfig, other: ModelConfig) -> set[str]:
    return {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}


def test_each_variant_is_another_choice_and_nothing_else(fitted):
    found = variants(fitted.config)
    assert list(found) == [
        "lag of 2 weeks",
        "michaelis-menten saturation",
        "2 seasonal modes",
    ]
    assert [differing(fitted.config, config) for config in found.values()] == [
        {"adstock_max_lag"},
        {"saturation"},
        {"yearly_seasonality"},
    ]


@pytest.mark.parametrize(("lag", "other"), [(1, 2), (2, 4), (3, 1), (8, 4), (52, 26)])
def test_another_lag_is_half_of_it_or_twice_a_short_one(lag, other):
    config = ModelConfig(channel_columns=("TV",), adstock_max_lag=lag)
    assert f"lag of {other} weeks" in variants(config)


def test_the_other_family_is_the_other_way_round_too(fitted):
    turned = variants(replace(fitted.config, saturation="michaelis_menten"))
    assert turned["logistic saturation"].saturation == "logistic"


def test_a_model_without_a_season_gets_one(fitted):
    found = variants(replace(fitted.config, yearly_seasonality=0))
    assert found["1 seasonal modes"].yearly_seasonality == 1
    assert found["1 seasonal modes"].priors["gamma_fourier"] == DEFAULT_PRIORS["gamma_fourier"]


@pytest.mark.parametrize(("modes", "other"), [(1, 2), (8, 9), (9, 10), (10, 9)])
def test_the_most_modes_that_a_model_may_have_become_one_fewer(fitted, modes, other):
    found = variants(replace(fitted.config, yearly_seasonality=modes))
    assert found[f"{other} seasonal modes"].yearly_seasonality == other
    with pytest.raises(ValueError, match="yearly_seasonality"):
        replace(fitted.config, yearly_seasonality=sensitivity.MOST_MODES + 1)


def test_a_prior_for_each_mode_becomes_one_for_all_where_there_are_more(fitted):
    prior = {"distribution": "Laplace", "mu": 0.0, "b": [0.1, 0.3], "rationale": "test"}
    config = replace(fitted.config, priors=fitted.config.priors | {"gamma_fourier": prior})
    found = variants(config)
    assert found["2 seasonal modes"].priors["gamma_fourier"].parameters == {"mu": 0.0, "b": 0.1}
    assert found["lag of 2 weeks"].priors == config.priors


@pytest.fixture
def plans(monkeypatch):
    """A plan in proportion to the mean ROAS, without the library's optimizer."""
    asked = []

    def optimize(fitted, budget):
        asked.append((fitted.config, budget))
        roas = fitted.response.roas(fitted.spend.to_numpy()).mean(axis=0)
        return SimpleNamespace(table=pd.DataFrame({"planned": 1000 * roas / roas.sum()}))

    monkeypatch.setattr(sensitivity, "optimize_budget", optimize)
    return asked


def test_the_model_itself_comes_first_then_a_refit_for_each_choice(fitted, plans, steps):
    budget = BudgetConfig(weeks=4)
    rows = run_sensitivity(fitted, budget, EVIDENCE, 7, steps.append)
    choices = variants(fitted.config)
    assert list(dict.fromkeys(rows["variant"])) == ["as fitted", *choices]
    assert rows["channel"].tolist() == ["TV", "Radio"] * 4
    base = fitted.response.roas(fitted.spend.to_numpy())
    assert rows["roas"].to_numpy()[:2] == pytest.approx(np.median(base, axis=0))
    assert [made.config for made in Canned.made] == list(choices.values())
    for made in Canned.made:
        (asked,) = made.asked
        pd.testing.assert_frame_equal(asked.table, fitted.table)
    wide = replace(budget, default_bounds="seen")  # narrow bounds would hide what differs
    assert all(asked == wide for _, asked in plans)
    assert len(plans) == 4
    assert rows.groupby("variant")["planned"].sum().to_numpy() == pytest.approx(1000.0)
    assert all(np.isfinite(check.value) for check in sensitivity_checks(rows))
    assert_counted(steps, "sensitivity", 3)


def test_a_variant_that_did_not_converge_is_not_planned(fitted, plans, steps, monkeypatch):
    class Failing(Canned):
        def __init__(self, *args):
            super().__init__(*args)
            self.bad = {1} if self.config.saturation == "michaelis_menten" else set()

    monkeypatch.setattr(sensitivity, "Refitter", Failing)
    rows = run_sensitivity(fitted, BudgetConfig(weeks=4), EVIDENCE, 7, steps.append)
    bad = rows[rows["variant"] == "michaelis-menten saturation"]
    assert bad["planned"].isna().all()
    assert not bad["converged"].any()
    assert rows.loc[rows["converged"], "planned"].notna().all()
    assert len(plans) == 3
    assert all(np.isnan(check.value) for check in sensitivity_checks(rows))  # 1 of 3


def test_lift_tests_calibrate_every_variant(fitted, plans, steps):
    run_sensitivity(calibrated(fitted), BudgetConfig(weeks=4), EVIDENCE, 7, steps.append)
    asked = [asked.lift_tests for made in Canned.made for asked in made.asked]
    assert len(asked) == 3
    assert all(tests is LIFT_TESTS for tests in asked)


@pytest.mark.parametrize("family", ["michaelis_menten", "logistic"])
def test_a_variant_or_a_model_without_a_plan_is_not_assessable(fitted, steps, monkeypatch, family):
    def optimize(fitted, budget):
        if fitted.config.saturation == family:
            raise BudgetError("the solver stopped short of the best plan")
        return SimpleNamespace(table=pd.DataFrame({"planned": [600.0, 400.0]}))

    monkeypatch.setattr(sensitivity, "optimize_budget", optimize)
    rows = run_sensitivity(fitted, BudgetConfig(weeks=4), EVIDENCE, 7, steps.append)
    unplanned = rows["variant"] == "michaelis-menten saturation"
    unplanned = unplanned if family == "michaelis_menten" else ~unplanned
    assert (rows["planned"].isna() == unplanned).all()
    assert rows["converged"].all()
    values = {check.name: check.value for check in sensitivity_checks(rows)}
    assert np.isnan(values["sensitivity_plan"])
    assert np.isfinite(values["sensitivity_roas"])  # ROAS need no plan
    assert_counted(steps, "sensitivity", 3)


def test_a_fault_that_is_not_of_the_budget_is_not_hidden(fitted, steps, monkeypatch):
    def optimize(fitted, budget):
        raise ValueError("another fault")

    monkeypatch.setattr(sensitivity, "optimize_budget", optimize)
    with pytest.raises(ValueError, match="another fault"):
        run_sensitivity(fitted, BudgetConfig(weeks=4), EVIDENCE, 7, steps.append)
