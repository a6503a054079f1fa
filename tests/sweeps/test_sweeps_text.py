"""A sweep in words: counts that add up, reasons by kind, and no best without a pass."""

import math
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mmm_demo.settings.sweep import SweepConfig, in_words
from mmm_demo.sweeps.text import counts, headline, next_best, reasons, score, sweep_page

LAG, SIGMA = "model.adstock_max_lag", "model.priors.saturation_beta.sigma"
FILE = Path("outputs/experiments/lags_best_12345678.yaml")
RHAT = "fold {} did not converge: rhat_max {} < 1.01 at {}: FAILED"
REASONS = {
    1: RHAT.format(2, 1.02, "adstock_alpha[TV]"),
    2: "forecasts worse than the best so far after fold 1",
    4: RHAT.format(3, 1.3, "y_sigma"),
    6: "model.x: a fault | of\nmany lines",
}
VALUES = {0: 38_000.0, 3: 37_000.04, 5: 41_000.0, 7: 37_000.5}


def make_sweep(objective: str = "crps", trials: int = 10) -> SweepConfig:
    search = {LAG: [4, 8], SIGMA: {"low": 0.1, "high": 2.0}}
    experiment = "experiments/demo.yaml"
    return SweepConfig("lags", experiment, search, trials=trials, objective=objective)


def make_trials() -> pd.DataFrame:
    rows = []
    for number in range(8):
        verdict = "passed" if number in VALUES else "pruned" if number == 2 else "failed"
        row = {"number": number, "verdict": verdict, "value": VALUES.get(number, math.nan)}
        row |= {"reason": REASONS.get(number, ""), "seconds": 9.0}
        rows.append(row | {LAG: 4 + 4 * (number % 2), SIGMA: 0.123456 * (number + 1)})
    return pd.DataFrame(rows)


def best_of(trials: pd.DataFrame, number: int = 3) -> SimpleNamespace:
    row = trials.set_index("number").loc[number]
    choice = {LAG: int(row[LAG]), SIGMA: float(row[SIGMA])}
    return SimpleNamespace(number=number, key=number + 1, choice=choice, value=float(row["value"]))


def test_counts_add_up() -> None:
    text = counts(make_sweep(), make_trials())
    assert text == (
        "lags: 4 of 8 trials passed, 3 failed, 1 ended early; "
        "4 without a value are compared with nothing; 2 of 10 not done yet."
    )
    passed = make_trials().query("verdict == 'passed'")
    assert counts(make_sweep(trials=4), passed) == "lags: 4 of 4 trials passed."


def test_a_passed_trial_without_a_value_is_counted_as_one_without() -> None:
    trials = make_trials()
    trials.loc[0, "value"] = math.inf
    assert "5 without a value" in counts(make_sweep(), trials)
    assert 0 not in [number for number, *_ in next_best(make_sweep(), trials, best_of(trials))]


def test_reasons_that_differ_by_numbers_are_one() -> None:
    found = reasons(make_trials())
    assert [(count, verdict, number) for count, verdict, number, _ in found] == [
        (2, "failed", 1),
        (1, "ended early", 2),
        (1, "failed", 6),
    ]
    assert found[0][3] == REASONS[1]  # whole, as that trial had it
    assert found[2][3] == "model.x: a fault | of many lines"


def test_reasons_of_different_checks_or_parts_are_apart() -> None:
    trials = make_trials()
    trials.loc[4, "reason"] = REASONS[1].replace("rhat_max", "ess_bulk_min")
    trials.loc[6, "reason"] = REASONS[1].replace("fold 2", "the fit of all weeks")
    assert [count for count, *_ in reasons(trials)] == [1, 1, 1, 1]
    trials["reason"] = "long " * 100
    assert len(reasons(trials)[0][3]) == 200


def test_next_best_is_measured_from_the_best() -> None:
    trials = make_trials()
    assert next_best(make_sweep(), trials, best_of(trials)) == [
        (7, "37,000", "0.46 (0.0%)", "adstock_max_lag 8, saturation_beta sigma 0.9876"),
        (0, "38,000", "1,000 (2.7%)", "adstock_max_lag 4, saturation_beta sigma 0.1235"),
        (5, "41,000", "4,000 (10.8%)", "adstock_max_lag 8, saturation_beta sigma 0.7407"),
    ]


def test_more_elpd_is_better_and_has_no_share() -> None:
    trials, sweep = make_trials(), make_sweep("elpd")
    trials["value"] = -trials["value"] / 100
    found = next_best(sweep, trials, best_of(trials))
    assert [(number, value, behind) for number, value, behind, _ in found] == [
        (7, "-370", "0.0046"),
        (0, "-380", "10"),
        (5, "-410", "40"),
    ]
    assert score(sweep, -1234.4) == "ELPD -1,234"


def test_headline_says_best_next_and_what_to_do() -> None:
    trials = make_trials()
    lines = headline(make_sweep(), trials, best_of(trials), FILE)
    assert lines[0] == counts(make_sweep(), trials)
    assert lines[1] == f"Most frequent reason (2 such): trial 1, {REASONS[1]}"
    assert lines[2] == (
        "Best: trial 3, CRPS 37,000 (adstock_max_lag 8, saturation_beta sigma 0.4938)"
    )
    assert lines[3] == (
        "Behind it: trial 7 by 0.46 (0.0%), trial 0 by 1,000 (2.7%), trial 5 by 4,000 (10.8%)"
    )
    assert "leaderboard" in lines[4]
    assert lines[5] == f"Fit it:  uv run mmm-demo fit --experiment {FILE}"
    assert not [
        line for line in headline(make_sweep(), trials, best_of(trials), None) if "Fit it" in line
    ]


def test_a_single_pass_has_nothing_behind_it() -> None:
    trials = make_trials().query("number == 3")
    lines = headline(make_sweep(trials=1), trials, best_of(trials), FILE)
    assert not [line for line in lines if "Behind" in line or "reason" in line]
    page = sweep_page(make_sweep(trials=1), trials, best_of(trials), FILE)
    assert "Next best" not in page and "Why trials" not in page


@pytest.mark.parametrize("write", [lambda *of: "\n".join(headline(*of)), sweep_page])
def test_nothing_is_called_best_when_nothing_passed(write) -> None:
    trials = make_trials().query("verdict != 'passed'")
    text = write(make_sweep(), trials, None, None)
    assert "0 of 4 trials passed" in text
    assert "Fit the experiment by itself (mmm-demo fit --experiment experiments/demo.yaml)" in text
    assert "Best" not in text and "Next best" not in text and "CRPS 3" not in text
    assert REASONS[1] in text
    nothing = write(make_sweep(), trials.head(0), None, None)
    assert "run the same command again" in nothing and "No trial passed" not in nothing


def test_page_has_the_best_the_next_and_the_reasons() -> None:
    trials = make_trials()
    page = sweep_page(make_sweep(), trials, best_of(trials), FILE)
    lines = page.splitlines()
    assert lines[0] == f"**{counts(make_sweep(), trials)}**  "
    assert lines[1].startswith("Best: trial 3, CRPS 37,000 (adstock_max_lag 8")
    assert "mean backtest CRPS (less is better) over 3 folds" in page
    assert f"`{LAG}`, `{SIGMA}`" in page
    assert f"`{FILE.name}`" in page and str(FILE) not in page
    assert "| 0 | 38,000 | 1,000 (2.7%) | adstock_max_lag 4, saturation_beta sigma 0.1235 |" in page
    assert f"| 2 | failed | 1 | {REASONS[1]} |" in page
    assert r"a fault \| of many lines |" in page  # a cell stays one cell


def test_many_reasons_are_cut_and_counted() -> None:
    trials = pd.concat([make_trials().query("number == 1")] * 8, ignore_index=True)
    trials["number"] = range(8)
    trials["reason"] = [f"{letter} went wrong" for letter in "abcdefgh"]
    page = sweep_page(make_sweep(), trials, None, None)
    assert "e went wrong" in page and "f went wrong" not in page
    assert "3 more for other reasons." in page


def test_settings_are_short_in_name_and_digits() -> None:
    choice = {LAG: 8, SIGMA: 1.6244919061556071, "groups": "one", "model.trend": True}
    assert (
        in_words(choice) == "adstock_max_lag 8, saturation_beta sigma 1.624, groups one, trend True"
    )
