"""A ranking in words: what is claimed, what is marked, and what is not said of failing fits."""

import math

import numpy as np
import pytest

from board_data import FOLDS, HARD, HORIZON, backtest, candidate, plan, pointwise, roas
from mmm_demo.evidence.ranking import rank
from mmm_demo.reports import leaderboard
from mmm_demo.settings.run_schema import SALES_PARAM

LAG = "model.adstock.max_lag"
ELPD_I = np.random.default_rng(0).normal(-11, 1, 104)


def board(*others, by: str = "crps"):
    """Return a ranking of three fits, two of them equally good, and others."""
    wide = roas(3.4, 2.0)
    return rank(
        [
            candidate(1, HARD, ELPD_I, params={LAG: "4"}),
            candidate(2, HARD, ELPD_I, params={LAG: "8"}, roas=wide, plan=plan(900.0, 100.0)),
            candidate(3, HARD + 60, ELPD_I - 1, params={LAG: "12"}, roas=roas(99.0, 99.0)),
            *others,
        ],
        by,
    )


def test_spread_is_said_beside_the_best_models_own_interval() -> None:
    told = leaderboard.sentences(board())
    assert told[0] == (
        "2 of 3 models are equally good: their CRPS is within one standard error of the best, "
        "00000001 model 1."
    )
    assert told[1] == (
        "ROAS of TV lies between 1.60 and 4.08 across them (medians 2.00 to 3.40); the best "
        "model alone says 1.60 to 2.40."
    )
    assert told[3] == "Their plans spend between 600 and 900 on TV; the best model's spends 600."
    assert "99" not in " ".join(told)


def test_channel_that_only_some_have_says_so() -> None:
    video = roas(1.0, 3.0, channels=("Video", "Search"))
    told = leaderboard.sentences(rank([candidate(1, HARD), candidate(2, HARD, roas=video)], "crps"))
    (line,) = [line for line in told if line.startswith("ROAS of Video")]
    assert "across the 1 of them that have it" in line
    assert line.endswith("the best model has no such channel.")


def test_plans_of_other_budgets_are_no_plans_of_the_same_money() -> None:
    fits = [candidate(1, HARD), candidate(2, HARD, plan=plan(600.0, 500.0))]
    assert leaderboard.sentences(rank(fits, "crps"))[-1] == (
        "Their plans spend between 1,000 and 1,100 in total: compare the shares, not the money."
    )
    assert not any("in total" in line for line in leaderboard.sentences(board()))


def test_best_model_alone_has_no_spread_to_tell() -> None:
    told = leaderboard.sentences(rank([candidate(1, HARD), candidate(2, HARD + 60)], "crps"))
    assert told == [
        "1 of 2 models are equally good: their CRPS is within one standard error of the best, "
        "00000001 model 1."
    ]


def test_nothing_to_rank_is_said() -> None:
    (none, unmeasured) = leaderboard.sentences(rank([candidate(1)], "crps"))
    assert none == "No fit that passed has a measured CRPS: there is nothing to rank."
    assert unmeasured == "Not ranked: 1 not measured."
    (one,) = leaderboard.sentences(rank([candidate(1, HARD)], "crps"))
    assert one.startswith("Only 00000001 model 1 passed and is measured by CRPS")


def test_one_fold_is_no_ground_to_call_models_equal() -> None:
    short = [candidate(n, backtest=backtest(HARD[:HORIZON] + n, folds=1)) for n in (1, 2, 3)]
    (told,) = leaderboard.sentences(rank(short, "crps"))
    assert "how many of the other 2 are as good cannot be told" in told


def test_untrustworthy_elpd_is_said() -> None:
    high = [candidate(n, pointwise=pointwise(ELPD_I, k=0.9)) for n in (1, 2)]
    assert any(
        "Pareto k is above 0.7 for 2" in line for line in leaderboard.sentences(rank(high, "elpd"))
    )
    assert not any("Pareto" in line for line in leaderboard.sentences(board(by="elpd")))


def test_rows_mark_the_equally_good() -> None:
    found = board()
    rows = leaderboard.rows(found)
    assert leaderboard.header(found) == ("rank", "CRPS", "ELPD", "behind", "inside\n94 %", "fit")
    assert all(len(row) == len(leaderboard.header(found)) for row in rows)
    assert [row[0] for row in rows] == ["1", "2 =", "3"]
    assert rows[1][-1] == "00000002 model 2 8"
    assert leaderboard.legend(found) == "Settings: adstock.max_lag"
    assert rows[0][3] == "" and rows[2][3] == "60.0 ± 0.00"
    assert rows[0][4] == "75%"


def test_weights_are_a_column_when_asked_for() -> None:
    weighted = board().with_weights({candidate(1).run_id: 0.25, candidate(2).run_id: 0.75})
    assert leaderboard.header(weighted)[-2:] == ("weight", "fit")
    assert [row[-2] for row in leaderboard.rows(weighted)] == ["0.25", "0.75", ""]


def test_not_measured_says_the_command_that_measures_it() -> None:
    trial = candidate(5, kind="trial")
    unconverged = backtest(HARD)
    unconverged["converged"] = False
    found = board(candidate(4), trial, candidate(6, backtest=unconverged))
    why = {row[0][:8]: row[-1] for row in leaderboard.unranked_rows(found)}
    assert why["00000004"] == "run: mmm-demo evidence 00000004 --battery backtest"
    assert "mmm-demo evidence" not in why["00000005"]  # it has no version to gather evidence about
    assert why["00000006"].startswith("a fold of its backtest did not converge")
    elpd = rank([candidate(7, HARD)], "elpd")
    assert "mmm-demo fit" in leaderboard.unranked_rows(elpd)[0][-1]


def test_failed_and_left_out_are_named_and_counted_without_a_score() -> None:
    failed = candidate(7, verdict="failed", reason="rhat_max 1.2", rhat=1.2, params={LAG: "4"})
    other = candidate(8, HARD - 90, params={SALES_PARAM: "b" * 64}, started=0)
    found = board(failed, other)
    rows = {row[0][:8]: row for row in leaderboard.unranked_rows(found)}
    named = "00000007 model 7 4"
    assert rows["00000007"] == (named, "1.2000", "failed", "rhat_max 1.2")
    assert rows["00000008"][-2:] == ("left out", "explains other sales")
    told = leaderboard.sentences(found)
    assert "Not ranked: 1 failed." in told
    assert "Not ranked: 1 left out (explains other sales)." in told
    table = leaderboard.table(found).set_index("run")
    assert math.isnan(table.loc[failed.run_id, "crps"])
    assert math.isnan(table.loc[other.run_id, "crps"])


def test_table_has_every_fit_with_its_settings() -> None:
    table = leaderboard.table(
        board(candidate(4), candidate(5, verdict="pruned", reason="hopeless"))
    )
    assert table["rank"].tolist()[:3] == [1, 2, 3]
    assert table["verdict"].tolist() == ["passed"] * 3 + ["not measured", "pruned"]
    assert table[LAG].tolist()[:3] == ["4", "8", "12"]
    assert table["equally_good"].tolist()[:3] == [True, True, False]
    assert table["crps"][0] == pytest.approx(HARD.mean())


def test_terminal_shows_the_first_and_says_that_there_are_more() -> None:
    fits = [candidate(number, HARD + number) for number in range(1, 50)]
    found = rank(fits, "crps")
    assert len(leaderboard.rows(found)) == leaderboard.MOST
    assert len(leaderboard.table(found)) == 49
    assert "the table on record has all" in leaderboard.sentences(found)[-1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.01234, "0.01"),
        (1.234, "1.23"),
        (9.94, "9.94"),
        (12.34, "12.3"),
        (123.4, "123"),
        (1234567.8, "1,234,568"),
        (-12.34, "-12.3"),
        (math.nan, "n/a"),
    ],
)
def test_numbers_have_three_digits(value: float, said: str) -> None:
    assert leaderboard.number(value) == said


def test_scores_that_were_not_measured_are_not_shown_as_numbers() -> None:
    (row,) = leaderboard.rows(
        rank([candidate(1, backtest=backtest(np.full(FOLDS * HORIZON, 5.0)))], "crps")
    )
    assert row[1] == "5.00" and row[2] == "n/a"
