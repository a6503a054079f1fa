"""Comparisons: what is measured, what is refused, and what the words say about it."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bundles import changed, make_bundle, make_folds, make_plan
from drawn_model import drawn_model
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import compare as measure
from mmm_demo.evidence.compare import Comparison, compare
from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.settings.experiment import BudgetConfig

FOLDS = make_folds(100, 80, 120, 90, 110)
UNKNOWN = "not assessable: "


def only_tv() -> FittedModel:
    """Return the drawn model without its second channel."""
    drawn = drawn_model()
    config = replace(drawn.config, channel_columns=("TV",), priors={})
    posterior = drawn.trace["posterior"].to_dataset().isel(channel=[0])
    return changed(config, drawn.table.drop(columns="Radio"), posterior)


# Forecasts


def test_folds_are_paired_and_the_error_is_that_of_the_pairs() -> None:
    other = FOLDS.assign(crps=[98, 79, 117, 90, 106])
    table, crps = measure.paired_folds(FOLDS, other)
    assert list(table.columns) == list(measure.FOLDS)
    assert list(table["difference"]) == [2, 1, 3, 0, 4]
    assert (crps.a, crps.b, crps.difference) == (100, 98, pytest.approx(2))
    assert crps.standard_error == pytest.approx(
        math.sqrt(2.5 / 5)
    )  # far less than the spread of either
    assert crps.ratio == pytest.approx(100 / 98)
    assert crps.beyond_noise and not crps.reason and not crps.note


def test_a_difference_within_two_standard_errors_is_noise() -> None:
    assert not measure.PairedMeasure(3.0, 1.0, 1.0).beyond_noise
    assert measure.PairedMeasure(1.0, 3.1, 1.0).beyond_noise
    assert not measure.PairedMeasure(3.0, 1.0, math.nan).beyond_noise


def test_one_fold_has_no_standard_error() -> None:
    _, crps = measure.paired_folds(FOLDS.head(1), FOLDS.head(1).assign(crps=50.0))
    assert crps.difference == 50
    assert math.isnan(crps.standard_error) and not crps.beyond_noise


def test_a_fold_that_did_not_converge_is_shown_and_left_out() -> None:
    bad = FOLDS.assign(crps=[100, 80, 120, 90, 1e9], converged=[True] * 4 + [False])
    for pair in ((FOLDS, bad), (bad, FOLDS)):
        table, crps = measure.paired_folds(*pair)
        assert len(table) == 5 and list(table["converged"]) == [True] * 4 + [False]
        assert crps.difference == 0
        assert crps.note == "fold 5 left out, where a refit did not converge"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (FOLDS.assign(crps=[math.nan, 1, 1, 1, 1]), "not finite"),
        (FOLDS.assign(crps=[math.inf, 1, 1, 1, 1]), "not finite"),
        (FOLDS.assign(start=FOLDS["start"] + pd.Timedelta(days=7)), "different weeks"),
        (FOLDS.assign(weeks=4), "different weeks"),
        (FOLDS.head(4), "different weeks"),
        (FOLDS.head(0), "no folds"),
        (FOLDS.assign(naive_crps=FOLDS["naive_crps"] * 1.01), "different sales"),
        (FOLDS.assign(naive_crps=math.nan), "different sales"),
        (FOLDS.assign(converged=[True] * 3 + [False] * 2), "in 2 of 5 folds"),
    ],
)
def test_backtests_that_do_not_pair_are_not_assessable(other: pd.DataFrame, why: str) -> None:
    for pair in ((FOLDS, other), (other, FOLDS)):
        _, crps = measure.paired_folds(*pair)
        assert crps.reason.startswith(UNKNOWN) and why in crps.reason
        assert math.isnan(crps.difference) and math.isnan(crps.ratio) and not crps.beyond_noise


# ELPD


def test_the_error_of_an_elpd_difference_is_pointwise() -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(-10, 3, size=150)
    b = a - rng.normal(0.2, 0.1, size=150)
    k = np.full(150, 0.3)
    found = measure.elpd_difference(a, b, k, k)
    assert found.difference == pytest.approx((a - b).sum())
    assert found.standard_error == pytest.approx(math.sqrt(150) * 0.1, rel=0.15)
    assert found.beyond_noise and not found.note


def test_a_high_pareto_k_is_told_with_its_model() -> None:
    low, high = np.full(9, 0.7), np.array([0.2] * 7 + [0.71, 0.9])
    values = np.arange(9.0)
    assert not measure.elpd_difference(values, values, low, low).note
    one = measure.elpd_difference(values, values, low, high).note
    assert "above 0.7 for B in 2 weeks (at most 0.90)" in one
    assert "for A in 2 weeks (at most 0.90) and B" in (
        measure.elpd_difference(values, values, high, high).note
    )


@pytest.mark.parametrize("place", range(4))
def test_an_elpd_that_is_not_finite_is_not_assessable(place: int) -> None:
    parts = [np.full(9, 0.5) for _ in range(4)]
    parts[place][3] = math.nan
    found = measure.elpd_difference(*parts)
    assert found.reason.startswith(UNKNOWN) and math.isnan(found.difference)


def test_elpd_needs_the_same_data() -> None:
    table = drawn_model().table.copy()
    table.loc[3, "Sales"] += 1
    found = measure.elpd(drawn_model(), changed(table=table))
    assert found.reason == "not assessable: fitted on different data"
    assert math.isnan(found.difference)


# ROAS


def test_roas_of_both_stand_beside_each_other() -> None:
    posterior = drawn_model().trace["posterior"].to_dataset().copy(deep=True)
    posterior["saturation_beta"] = posterior["saturation_beta"] * [100.0, 1.0]
    table = measure.roas_table(drawn_model(), changed(posterior=posterior)).set_index("channel")
    roas = drawn_model().roas().to_numpy()
    np.testing.assert_allclose(table["median_a"], np.median(roas, axis=0))
    np.testing.assert_allclose(table["upper_94_a"], np.quantile(roas, 0.97, axis=0))
    assert table.loc["TV", "median_b"] == pytest.approx(100 * table.loc["TV", "median_a"])
    assert not table.loc["TV", "agree"] and table.loc["TV", "overlap"] < 0.3
    assert table.loc["Radio", "agree"] and table.loc["Radio", "overlap"] == 1


def test_a_channel_of_one_model_alone_has_no_overlap() -> None:
    for pair, side in (((drawn_model(), only_tv()), "b"), ((only_tv(), drawn_model()), "a")):
        table = measure.roas_table(*pair).set_index("channel")
        assert list(table.index) == ["TV", "Radio"]
        assert table.loc["Radio"][[f"median_{side}", "overlap"]].isna().all()
        assert table.loc["Radio", "agree"] is None
        assert table.loc["TV", "overlap"] > 0.85  # 60 draws, equal but for rounding


# Plans


def test_plan_overlap_is_the_money_that_goes_to_the_same_channels() -> None:
    drawn = drawn_model()
    a, b = make_plan(drawn, TV=600.0, Radio=400.0), make_plan(drawn, TV=900.0, Search=100.0)
    money = measure.money_table(a, b)
    assert list(money["channel"]) == ["TV", "Radio", "Search"]
    assert list(money["difference"]) == [-300, 400, -100]
    assert measure.plan_overlap(money) == pytest.approx(0.6)
    assert measure.plan_overlap(measure.money_table(a, a)) == 1
    apart = measure.money_table(make_plan(drawn, TV=1.0), make_plan(drawn, Radio=5.0))
    assert measure.plan_overlap(apart) == 0


def test_regret_is_the_loss_as_a_share_of_the_better_plan() -> None:
    drawn, spent = drawn_model(), drawn_model().spend.tail(8).sum()
    own = make_plan(drawn, TV=spent["TV"], Radio=spent["Radio"])
    other = make_plan(drawn, TV=spent["TV"] + spent["Radio"], Radio=0.0)
    ours, theirs = (measure.plan_response(drawn, plan, own.start) for plan in (own, other))
    lost = ours.mean() - theirs.mean()
    found = measure.regret(drawn, own, other)
    assert found.share == pytest.approx(lost / max(ours.mean(), theirs.mean()))
    assert found.probability_worse == (theirs < ours).mean()
    back = measure.regret(drawn, other, own)
    assert back.share == pytest.approx(-found.share)  # negative: bounds may forbid the better plan
    assert found.share * lost > 0 and not found.reason


def test_following_its_own_plan_costs_nothing() -> None:
    plan = make_plan(drawn_model(), TV=500_000.0, Radio=200_000.0)
    assert measure.regret(drawn_model(), plan, plan) == measure.Regret(0.0, 0.0)


def test_plans_that_no_model_can_judge_are_not_assessable() -> None:
    drawn = drawn_model()
    own = make_plan(drawn, TV=600.0, Radio=400.0)
    for other, why in (
        (make_plan(drawn, TV=600.0, Search=400.0), "one model has no Search"),
        (make_plan(drawn, weeks=4, TV=600.0, Radio=400.0), "for 8 and 4 weeks"),
        (make_plan(drawn, TV=600.0, Radio=401.0), "spend 1,000 and 1,001"),
    ):
        found = measure.regret(drawn, own, other)
        assert found.reason.startswith(UNKNOWN) and why in found.reason
        assert math.isnan(found.share) and math.isnan(found.probability_worse)


def test_a_channel_that_a_plan_does_not_know_gets_nothing() -> None:
    drawn = drawn_model()
    own = make_plan(drawn, TV=600.0, Radio=400.0)
    same = [make_plan(drawn, TV=1000.0), make_plan(drawn, Radio=0.0, TV=1000.0)]
    found = [measure.plan_response(drawn, plan, own.start) for plan in same]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("gap", [0, 3])
def test_the_library_expects_the_same_of_a_plan(lean_model: FittedModel, gap: int) -> None:
    start = pd.Timestamp(lean_model.weeks[-1]) + WEEK * (1 + gap)
    plan = optimize_budget(lean_model, BudgetConfig(weeks=9, start=f"{start:%Y-%m-%d}"))
    ours = measure.plan_response(lean_model, plan, plan.start)
    np.testing.assert_allclose(ours, plan.response, rtol=1e-6)
    carried = measure.plan_response(lean_model, plan, start - WEEK * gap)
    assert (np.abs(carried / plan.response - 1).max() > 1e-3) == bool(gap)


# All of it


@pytest.fixture(scope="module")
def apart() -> Comparison:
    """A model against one without its second channel, which cannot follow the first's plan."""
    a, b = make_bundle(drawn_model()), make_bundle(only_tv())
    spent = float(drawn_model().spend.tail(8).sum().sum())
    plans = make_plan(a.fitted, TV=0.6 * spent, Radio=0.4 * spent), make_plan(b.fitted, TV=spent)
    return compare(
        a, b, (FOLDS, FOLDS.assign(crps=FOLDS["crps"] * [1.1, 1.2, 1.1, 1.2, 1.1])), plans
    )


def test_words_say_who_is_better_and_what_could_not_be_told(apart: Comparison) -> None:
    words = apart.sentences()
    assert words[0].startswith("A forecasts better than B, by more than noise: mean CRPS 100 ")
    assert (
        words[1]
        == "The ELPD difference (leave-one-out) is not assessable: fitted on different data."
    )
    assert words[2].startswith("ROAS agree in every channel of both (1)")
    assert words[2].endswith("only in one of them: Radio.")
    assert words[3].startswith(
        "The plans put 60% of the budget in the same channels; A's favours Ra"
    )
    assert (
        words[4] == "Regret of A's plan under B's model is not assessable: one model has no Radio."
    )
    assert words[5].startswith("Where A's model is right, B's plan ")
    assert words[6].startswith("A and B differ in model.channels") and "data.sha256" in words[6]


def test_rows_and_metrics_leave_out_what_is_not_known(apart: Comparison) -> None:
    rows = {name: cells for name, *cells in apart.rows()}
    assert rows["mean backtest CRPS"][:2] == ["100", "113"]
    assert rows["ELPD (LOO)"] == ["n/a", "n/a", "not assessable"]
    assert rows["ROAS Radio"][1:] == ["n/a", "overlap n/a"]
    assert rows["plan overlap, % of the budget"][2] == "60%"
    assert rows["regret of the plan under the other's model, % of sales by media"][0] == "n/a"
    assert rows["model.channels"] == ["TV, Radio", "TV", "differs"]
    assert all(isinstance(cell, str) for row in apart.rows() for cell in row)
    metrics = apart.metrics()
    assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())
    assert not {"compare.elpd_difference", "compare.regret_a"} & set(metrics)
    assert metrics["compare.crps_difference"] == pytest.approx(-13.4)
    assert metrics["compare.plan_overlap"] == pytest.approx(0.6)
    assert metrics["compare.roas_overlap_min"] > 0.85
    assert math.isfinite(metrics["compare.regret_b"])


def test_reasons_stand_in_for_backtests_and_plans() -> None:
    table = drawn_model().table.assign(Sales=1.0 + np.arange(104.0))
    a, b = make_bundle(drawn_model()), make_bundle(changed(table=table))
    found = compare(a, b, "the data of B lack Radio", "no plan spends 1,000 in 8 weeks")
    assert found.sentences()[0] == (
        "Who forecasts better is not assessable: the data of B lack Radio."
    )
    assert "Plans and regret are not assessable: no plan spends 1,000 in 8 weeks." in (
        found.sentences()
    )
    assert found.folds.empty and found.money.empty
    assert not {name for name in found.metrics() if "regret" in name or "plan" in name}
    assert not {name for name in found.metrics() if "crps" in name}


def test_noise_is_called_noise(apart: Comparison) -> None:
    for crps, says in (
        (measure.PairedMeasure(100, 101, 0.6), "Neither forecasts better by more than noise: "),
        (
            measure.PairedMeasure(100, 101, math.nan),
            "Neither forecasts better by more than noise: ",
        ),
        (measure.PairedMeasure(100, 100, 0.0), "Neither forecasts better than the other: "),
        (measure.PairedMeasure(101, 100, 0.2), "B forecasts better than A, by more than noise: "),
    ):
        assert replace(apart, crps=crps).sentences()[0].startswith(says)
    elpd = measure.PairedMeasure(-100, -150, 10.0, note="read with care")
    assert replace(apart, elpd=elpd).sentences()[1] == (
        "A describes the weeks, each left out in turn, better than B, by more than noise: "
        "ELPD -100 against -150, difference +50 (standard error 10); read with care."
    )


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0.034, "costs 3.4% of the expected sales by media; it is worse with a probability"),
        (0.0, "is as good as A's own (within 0.1%)."),
        (-0.0009, "is as good as A's own (within 0.1%)."),
        (
            -0.02,
            "brings 2.0% more sales by media than A's own, whose bounds forbid it; it is",
        ),
    ],
)
def test_regret_is_told_with_its_sign(apart: Comparison, share: float, says: str) -> None:
    told = replace(apart, regret_b=measure.Regret(share, 0.3)).sentences()[5]
    assert told.startswith("Where A's model is right, B's plan ") and says in told


@pytest.fixture(scope="module")
def real(lean_model: FittedModel) -> Bundle:
    return make_bundle(lean_model)


def test_a_version_against_itself_differs_in_nothing(real: Bundle) -> None:
    spent = real.fitted.spend.tail(8).sum()
    plan = make_plan(real.fitted, **spent)
    found = compare(real, real, (FOLDS, FOLDS), (plan, plan))
    assert found.differences.empty
    assert (found.crps.difference, found.crps.standard_error, found.crps.ratio) == (0, 0, 1)
    assert (found.elpd.difference, found.elpd.standard_error) == (0, 0)
    assert not found.elpd.reason and math.isfinite(found.elpd.a)
    assert (found.roas["overlap"] == 1).all() and found.roas["agree"].all()
    assert found.plan_overlap == 1
    assert found.regret_a == found.regret_b == measure.Regret(0.0, 0.0)
    assert found.sentences()[-1] == "A and B have the same configuration, data and priors."
    assert "The plans put 100% of the budget in the same channels." in found.sentences()
    assert len(found.metrics()) == 16


def test_a_model_with_too_much_noise_loses_by_elpd(real: Bundle) -> None:
    trace = real.fitted.trace.copy(deep=True)
    trace["posterior"]["y_sigma"] = 3 * trace["posterior"]["y_sigma"]
    worse = FittedModel(real.fitted.config, trace)
    found = measure.elpd(real.fitted, worse)
    assert found.difference > 0 and found.beyond_noise
    back = measure.elpd(worse, real.fitted)
    assert back.difference == pytest.approx(-found.difference)
