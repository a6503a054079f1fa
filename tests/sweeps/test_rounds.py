"""Which candidates are fitted: two rounds at most, the second around the best of the first."""

import pytest

from helpers import make_experiment
from mmm_demo.settings.changes import told
from mmm_demo.sweeps.candidate import Judged, not_fitted
from mmm_demo.sweeps.rounds import MOST, Outcome, try_remedies
from tried import judged

BASE = make_experiment()
LAG, LONGER = "model.adstock_max_lag: 13", "model.adstock_max_lag: 26"
CURVE = "model.saturation: michaelis_menten"


class Canned:
    """Hands back what is written for each candidate, and keeps what was asked."""

    def __init__(self, flags: str, answers: dict[str, Judged]) -> None:
        self.answers = {"": judged(flags), **answers}
        self.asked: list[list[str]] = []
        self.said: list[str] = []

    def fit_all(self, number, settings) -> list[Outcome]:
        assert number == len(self.asked) + 1
        self.asked.append([told(of) for of in settings])
        found = [self.answers.get(told(of), self.answers[""]) for of in settings]
        return [Outcome.of(of, BASE, got) for of, got in zip(settings, found, strict=True)]

    def run(self) -> list[Outcome]:
        return try_remedies(BASE, self.answers[""].report.flags, self.fit_all, self.said.append)


def test_the_fit_as_it_is_comes_first_and_once():
    canned = Canned("p_later_lags", {LAG: judged()})
    outcomes = canned.run()
    assert [of.tried.name for of in outcomes][:2] == ["as it is", LAG]
    assert canned.asked[0][:2] == ["", LAG]
    assert outcomes[1].tried.flags == frozenset()


def test_without_a_remedy_nothing_is_fitted():
    for flags in ("", "spend_follows_demand prior_driven_share", "odd_weeks"):
        canned = Canned(flags, {})
        assert canned.run() == []
        assert canned.asked == []


def test_there_is_no_second_round_when_nothing_is_left_to_mend():
    canned = Canned("p_later_lags", {LAG: judged()})
    canned.run()
    assert len(canned.asked) == 1


def test_there_is_none_around_a_fit_that_cleared_nothing():
    canned = Canned("p_later_lags", {LAG: judged("p_later_lags")})
    canned.run()
    assert len(canned.asked) == 1


def test_the_second_round_builds_on_the_best_of_the_first_and_repeats_nothing():
    answers = {LAG: judged("p_later_lags p_other_curve")}
    canned = Canned("p_later_lags p_other_curve p_maximum", answers)
    canned.run()
    assert len(canned.asked) == 2
    assert canned.asked[1][0] == LONGER
    assert all(text.startswith("model.adstock_max_lag: ") for text in canned.asked[1])
    assert not set(canned.asked[0]) & set(canned.asked[1])


def test_there_is_no_third_round():
    answers = {LAG: judged("p_later_lags"), LONGER: judged("p_other_curve")}
    canned = Canned("p_later_lags p_other_curve", answers)
    canned.run()
    assert canned.asked[1][0] == LONGER
    assert len(canned.asked) == 2


def test_a_candidate_that_could_not_be_fitted_is_told_and_never_the_best():
    canned = Canned("p_later_lags", {LAG: not_fitted("too few weeks")})
    outcomes = canned.run()
    assert outcomes[1].tried.unusable == "too few weeks"
    assert len(canned.asked) == 1


@pytest.mark.parametrize("most", [1, 2])
def test_what_has_no_room_in_a_round_is_told(most, monkeypatch):
    monkeypatch.setattr("mmm_demo.sweeps.rounds.MOST", most)
    canned = Canned("p_later_lags p_other_curve", {})
    canned.run()
    assert len(canned.asked[0]) == most + 1
    assert all(text.startswith(f"not tried, as a round has {most}") for text in canned.said)
    assert canned.said
    assert MOST == 6


def test_what_only_an_experiment_can_clear_stays_as_it_was_told():
    """Also where the same fit, judged today, would not be told it."""
    canned = Canned("p_later_lags", {LAG: judged()})
    told_before = judged("p_later_lags prior_driven_share").report.flags
    outcomes = try_remedies(BASE, told_before, canned.fit_all, canned.said.append)
    assert outcomes[0].tried.flags == {"p_later_lags", "prior_driven_share"}
    assert outcomes[1].tried.flags == frozenset()
