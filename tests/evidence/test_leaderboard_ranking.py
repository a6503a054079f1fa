"""The ranking: what compares, what is equally good, and what never gets a rank."""

import math

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from board_data import FOLDS, HARD, HORIZON, WEEKS, backtest, candidate, pointwise
from mmm_demo.evidence.ranking import NO_SALES, OTHER_SALES, Candidate, Tables, rank
from mmm_demo.evidence.scores import CRPS, ELPD
from mmm_demo.settings.run_schema import SALES_PARAM

RNG = np.random.default_rng(1)
NOISE = RNG.normal(0, 5, FOLDS * HORIZON)
EASY = RNG.normal(-11, 1, WEEKS)  # log density by week


def numbers(candidates: list) -> list[int]:
    """Return which fits these are."""
    return [int(getattr(item, "candidate", item).run_id[:8], 16) for item in candidates]


def test_less_crps_is_better_and_more_elpd() -> None:
    fits = [
        candidate(1, HARD + 10, -12.0),
        candidate(2, HARD, -13.0),
        candidate(3, HARD + 20, -11.0),
    ]
    assert numbers(rank(fits, "crps").ranked) == [2, 1, 3]
    assert numbers(rank(fits, "elpd").ranked) == [3, 1, 2]
    assert [item.rank for item in rank(fits, "crps").ranked] == [1, 2, 3]


def test_no_other_score_ranks() -> None:
    with pytest.raises(ValueError, match="ranked by crps or elpd; got 'mape'"):
        rank([candidate(1, HARD)], "mape")


def test_nobody_is_ranked_where_nobody_is() -> None:
    board = rank([], "crps")
    assert (board.ranked, board.equal, board.unmeasured, board.failed) == ((), (), (), ())


# Equally good


def test_paired_differences_decide_not_the_spread_of_the_weeks() -> None:
    """Weeks differ by 30; a model that is worse by 2 in every week is worse beyond doubt."""
    board = rank([candidate(1, HARD), candidate(2, HARD + 2 + 0.1 * NOISE)], "crps")
    assert board.ranked[1].behind_se < 2 < board.ranked[1].candidate.scores["score.crps_se"]
    assert numbers(board.equal) == [1]


def test_model_within_one_standard_error_of_the_difference_is_equally_good() -> None:
    centred = NOISE - NOISE.mean()
    error = rank([candidate(1, HARD), candidate(2, HARD + 1 + centred)], "crps").ranked[1].behind_se
    for behind, equal in ((0.99 * error, [1, 2]), (1.01 * error, [1])):
        board = rank([candidate(1, HARD), candidate(2, HARD + behind + centred)], "crps")
        assert board.ranked[1].behind == pytest.approx(behind)
        assert numbers(board.equal) == equal


def test_weeks_of_a_fold_go_together_and_widen_the_error() -> None:
    shift = np.repeat([8.0, -6.0, 7.0, -5.0, 3.0], HORIZON)
    (_, worse) = rank([candidate(1, HARD), candidate(2, HARD + shift)], "crps").ranked
    naive = shift.std(ddof=1) / math.sqrt(len(shift))
    assert worse.behind_se == pytest.approx(pd.Series([8.0, -6, 7, -5, 3]).sem())
    assert naive < worse.behind < worse.behind_se
    assert worse.equal


def test_the_same_model_twice_is_equally_good() -> None:
    board = rank([candidate(1, HARD, EASY), candidate(2, HARD, EASY)], "crps")
    assert numbers(board.equal) == [1, 2]
    assert board.ranked[1].behind_se == 0.0


def test_one_fold_does_not_tell_who_else_is_as_good() -> None:
    fits = [
        candidate(number, backtest=backtest(HARD[:HORIZON] + number, folds=1)) for number in (1, 2)
    ]
    board = rank(fits, "crps")
    assert numbers(board.ranked) == [1, 2]
    assert numbers(board.equal) == [1]
    assert math.isnan(board.ranked[1].behind_se)


def test_elpd_difference_and_its_error_are_arvizs() -> None:
    other = EASY - 0.05 + RNG.normal(0, 0.2, WEEKS)
    best, worse = rank([candidate(1, elpd=EASY), candidate(2, elpd=other)], "elpd").ranked
    found = {name: _elpd(values) for name, values in (("a", EASY), ("b", other))}
    theirs = az.compare(found, round_to="none").loc["b"]
    assert worse.behind == pytest.approx(-theirs["elpd_diff"])
    # ArviZ divides by the number of weeks here, and by one less for the error of the estimate.
    assert worse.behind_se == pytest.approx(theirs["dse"] * math.sqrt(WEEKS / (WEEKS - 1)))
    assert best.candidate.scores[ELPD] == pytest.approx(EASY.sum())


def _elpd(values: np.ndarray) -> az.ELPDDataLOO:
    by_week = xr.DataArray(values, dims="week")
    plain = {"elpd": values.sum(), "se": 1.0, "p": 0.0, "n_samples": 1, "n_data_points": WEEKS}
    return az.ELPDDataLOO(**plain, scale="log", warning=False, good_k=0.7, elpd_i=by_week)


# What never gets a rank


def test_failing_fit_is_listed_with_its_reason_and_never_ranked() -> None:
    failed = candidate(9, verdict="failed", reason="rhat_max 1.2")
    board = rank([candidate(1, HARD), failed], "crps")
    assert numbers(board.ranked) == [1]
    assert [item.reason for item in board.failed] == ["rhat_max 1.2"]


@pytest.mark.parametrize("verdict", ["failed", "pruned", "no verdict", "contradicted"])
def test_tables_of_a_fit_that_did_not_pass_cannot_even_be_held(verdict: str) -> None:
    with pytest.raises(ValueError, match="did not pass; none of its tables may be read"):
        Candidate("f" * 32, "m", "fit", verdict, "", 1, {}, 1.2, Tables(backtest=backtest(1.0)))


@pytest.mark.parametrize("broken", ["none", "not converged", "nan"])
def test_unmeasured_is_never_ranked_first(broken: str) -> None:
    table = {"none": None, "not converged": backtest(1.0), "nan": backtest(1.0)}[broken]
    if broken == "not converged":
        table.loc[3, "converged"] = False
    if broken == "nan":
        table.loc[3, "crps"] = math.nan
    board = rank([candidate(1, HARD), candidate(2, backtest=table)], "crps")
    assert numbers(board.ranked) == [1]
    assert numbers(board.unmeasured) == [2]
    assert math.isnan(board.unmeasured[0].scores[CRPS])


def test_fit_without_elpd_is_not_ranked_by_it() -> None:
    unknown = pointwise(EASY.copy())
    unknown.loc[5, "elpd_i"] = math.nan
    fits = [
        candidate(1, HARD, EASY),
        candidate(2, HARD - 50),
        candidate(3, HARD, pointwise=unknown),
    ]
    board = rank(fits, "elpd")
    assert numbers(board.ranked) == [1]
    assert sorted(numbers(board.unmeasured)) == [2, 3]


def test_only_fits_on_the_same_sales_compare() -> None:
    other, unsaid = {SALES_PARAM: "b" * 64}, {SALES_PARAM: ""}
    fits = [candidate(1, HARD - 50, params=other), candidate(2, HARD), candidate(3, HARD + 1)]
    fits += [candidate(0, HARD - 80, params=unsaid), candidate(5, verdict="failed", params=other)]
    board = rank(fits, "crps")
    assert numbers(board.ranked) == [2, 3]  # 5 is the latest, but did not pass
    reasons = {numbers([item])[0]: why for item, why in board.left_out}
    assert reasons == {1: OTHER_SALES, 5: OTHER_SALES, 0: NO_SALES}


def test_fit_that_failed_before_its_data_were_read_is_listed_as_failed() -> None:
    early = candidate(2, verdict="failed", params={SALES_PARAM: ""})
    board = rank([candidate(1, HARD), early], "crps")
    assert numbers(board.failed) == [2]
    passed = candidate(3, HARD, params={SALES_PARAM: ""})
    assert [why for _, why in rank([passed], "crps").left_out] == [NO_SALES]


def test_only_forecasts_of_the_same_weeks_compare() -> None:
    later = backtest(HARD - 50, start="2024-11-11")
    fewer = backtest(HARD[: 3 * HORIZON] - 50, folds=3)
    sold = backtest(HARD - 50).assign(observed=999.0)
    fits = [candidate(1, HARD), candidate(2, HARD + 1)]
    fits += [candidate(3 + place, backtest=of) for place, of in enumerate((later, fewer, sold))]
    board = rank(fits, "crps")
    assert numbers(board.ranked) == [1, 2]
    assert sorted(numbers([item for item, _ in board.left_out])) == [3, 4, 5]
    assert {why for _, why in board.left_out} == {"its backtest forecasts other weeks"}
    # By ELPD, the weeks that a backtest forecasts do not matter.
    by_elpd = rank([candidate(1, HARD, EASY), candidate(2, elpd=EASY - 1, backtest=later)], "elpd")
    assert numbers(by_elpd.ranked) == [1, 2]


def test_of_as_many_forecasts_the_latest_fits_count() -> None:
    early, late = candidate(1, HARD), candidate(2, backtest=backtest(HARD + 1, start="2024-11-11"))
    assert numbers(rank([early, late], "crps").ranked) == [2]
    assert numbers(rank([late, early], "crps").ranked) == [2]


def test_every_fit_is_in_one_place() -> None:
    fits = [
        candidate(1, HARD),
        candidate(2),
        candidate(3, verdict="failed"),
        candidate(4, HARD + 9),
    ]
    fits.append(candidate(5, HARD, params={SALES_PARAM: "c" * 64}, started=0))
    board = rank(fits, "crps")
    found = [*board.ranked, *board.unmeasured, *board.failed, *(item for item, _ in board.left_out)]
    assert sorted(numbers(found)) == [1, 2, 3, 4, 5]


def test_weights_belong_to_their_runs() -> None:
    board = rank([candidate(1, HARD), candidate(2, HARD)], "crps")
    weighted = board.with_weights({candidate(2, HARD).run_id: 0.7})
    assert math.isnan(weighted.ranked[0].weight)
    assert weighted.ranked[1].weight == 0.7
