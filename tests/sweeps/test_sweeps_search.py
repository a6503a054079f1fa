"""Studies on a real journal file: what is asked, what is told, and what a killed process leaves."""

import json
import math
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import Trial, TrialState

from mmm_demo.settings.sweep import SweepConfig
from mmm_demo.sweeps.search import Asked, Link, Search, _drop_torn_line, open_storage
from mmm_demo.sweeps.trial import TrialResult

LAG, SIGMA = "model.adstock_max_lag", "model.priors.saturation_beta.sigma"
GRID = {LAG: [2, 4, 8], SIGMA: {"low": 0.1, "high": 0.3, "step": 0.1}}
RANGES = {SIGMA: {"low": 0.01, "high": 10.0, "log": True}, LAG: {"low": 1, "high": 30}}


def grid(**settings: Any) -> SweepConfig:
    given = {"name": "s", "experiment": "e.yaml", "sampler": "grid", "search": GRID}
    return SweepConfig(**given | settings)


def sampled(sampler: str = "random", trials: int = 12, **settings: Any) -> SweepConfig:
    return grid(**{"sampler": sampler, "trials": trials, "search": RANGES} | settings)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return where studies are kept; no power cut is tried here, so nothing waits for the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    return str(tmp_path / "sweeps" / "studies.log")


def passed(value: float) -> TrialResult:
    return TrialResult("passed", value=value)


def score(asked: Asked) -> float:
    """Return a value that the choice alone decides."""
    return asked.choice[LAG] + float(asked.choice.get(SIGMA, 0))


def key(choice: dict[str, Any]) -> str:
    return json.dumps(dict(choice), sort_keys=True)


def finish(search: Search) -> list[Asked]:
    """Do all the trials that are left."""
    done = []
    while (asked := search.ask()) is not None:
        search.tell(asked, passed(score(asked)))
        done.append(asked)
    return done


# The grid


def test_a_grid_asks_every_combination_once(journal):
    search = Search(journal, grid(), "i")
    done = finish(search)
    assert [asked.number for asked in done] == list(range(9))
    assert len({key(asked.choice) for asked in done}) == 9
    assert {asked.choice[SIGMA] for asked in done} == {0.1, 0.2, 0.3}
    assert search.finished == 9
    assert search.ask() is None
    again = Search(journal, grid(), "i")
    assert again.ask() is None
    assert again.table().equals(search.table())


@pytest.mark.parametrize("running", [1, 3])
def test_a_killed_grid_goes_on_with_the_same_trials(journal, running):
    straight = {a.number: key(a.choice) for a in finish(Search(journal, grid(), "straight"))}
    seen: list[tuple[int, str]] = []
    told = Counter()
    for ended in (1, 0, 3, 30):  # each is a process that is killed after so many trials
        search = Search(journal, grid(), "i")
        for _ in range(ended):
            if (asked := search.ask()) is None:
                break
            search.tell(asked, passed(score(asked)))
            told[asked.number] += 1
            seen.append((asked.number, key(asked.choice)))
        left = [search.ask() for _ in range(running)]
        seen += [(asked.number, key(asked.choice)) for asked in left if asked]
    assert told == dict.fromkeys(range(9), 1)
    assert dict(seen) == straight
    assert len(set(seen)) == 9  # a trial that is asked again has the same choice
    table = Search(journal, grid(), "i").table()
    assert list(table["number"]) == list(range(9))
    assert list(table["value"]) == list(table[LAG] + table[SIGMA])


@pytest.mark.parametrize(
    "config", [grid(), sampled("random"), sampled("tpe")], ids=lambda config: config.sampler
)
@pytest.mark.parametrize("written", [0, 1])
def test_a_trial_that_was_half_asked_is_asked_again(journal, config, written):
    whole = Search(journal, config, "i")
    finish_some = [whole.ask() for _ in range(2)]
    for asked in finish_some:
        whole.tell(asked, passed(score(asked)))

    class Killed(BaseException):
        pass

    left = [written]

    def deadly(self: Trial, *given: Any, **named: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        real = Trial._suggest
        patch.setattr(Trial, "_suggest", deadly)
        whole.ask()
    stored = whole._study.trials[2]
    assert (stored.state, len(stored.params)) == (TrialState.RUNNING, written)
    asked = Search(journal, config, "i").ask()
    assert asked.number == 2
    assert set(asked.choice) == set(config.search)
    assert stored.params.items() <= asked.choice.items()


def test_other_searches_of_the_same_journal_are_left_alone(journal):
    finish(Search(journal, grid(), "one"))
    other = Search(journal, grid(), "two")
    assert other.finished == 0
    assert other.best is None
    assert other.ask().number == 0


# What is told


def test_a_trial_is_told_once(journal):
    search = Search(journal, grid(), "i")
    asked = search.ask()
    search.tell(asked, passed(1.0))
    with pytest.raises((ValueError, RuntimeError)):
        search.tell(asked, passed(0.5))
    assert (search.finished, search.best.value) == (1, 1.0)


def test_telling_goes_on_where_a_process_died_in_it(journal, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    search = Search(journal, grid(), "i")
    first, asked = search.ask(), search.ask()
    search.tell(first, passed(9.0))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(optuna.Study, "tell", die)
        search.tell(asked, TrialResult("failed", "rhat"))
    again = Search(journal, grid(), "i")
    assert again.ask() == asked
    again.tell(asked, TrialResult("failed", "rhat"))
    row = again.table().iloc[1]
    assert (row["verdict"], row["reason"]) == ("failed", "rhat")


@pytest.mark.parametrize(("objective", "good", "bad"), [("crps", 1.0, 2.0), ("elpd", 2.0, 1.0)])
def test_the_best_is_the_best_that_passed(journal, objective, good, bad):
    search = Search(journal, grid(objective=objective), "i")
    assert search.best is None
    outcomes = [
        passed(bad),
        TrialResult(
            "failed", "did not converge", value=good * 100 if objective == "elpd" else -5.0
        ),
        passed(good),
        TrialResult("pruned", "hopeless", value=-99.0),
    ]
    asked = [search.ask() for _ in outcomes]
    for one, outcome in zip(asked, outcomes, strict=True):
        search.tell(one, outcome)
    assert search.best == replace(asked[2], value=good)
    assert Search(journal, grid(objective=objective), "i").best == search.best
    table = search.table()
    assert list(table["verdict"]) == ["passed", "failed", "passed", "pruned"]
    assert list(table["value"].isna()) == [False, True, False, True]
    assert list(table["reason"]) == ["", "did not converge", "", "hopeless"]


def test_nothing_is_best_where_nothing_passed(journal):
    search = Search(journal, grid(), "i")
    for _ in range(2):
        search.tell(search.ask(), TrialResult("failed", "no"))
    assert search.best is None
    assert search.importances() == {}


def test_convergence_is_a_constraint_and_no_penalty(journal):
    search = Search(journal, sampled("tpe"), "i")
    for verdict in ("passed", "failed", "pruned"):
        value = 3.0 if verdict == "passed" else math.nan
        search.tell(search.ask(), TrialResult(verdict, value=value))
    kept = [trial.constraints for trial in search._study.trials]
    assert kept == [{"not_passed": 0.0}, {"not_passed": 1.0}, {"not_passed": 0.0}]
    assert [trial.value for trial in search._study.trials] == [3.0, None, None]


def test_a_value_that_is_not_finite_cannot_pass(journal):
    search = Search(journal, grid(), "i")
    with pytest.raises(ValueError, match="nan"):
        search.tell(search.ask(), passed(math.nan))
    assert search.best is None


def test_the_table_has_all_settings_and_no_trial_that_runs(journal):
    search = Search(journal, grid(), "i")
    names = ["number", "verdict", "value", "reason", "seconds", *GRID]
    assert list(search.table().columns) == names
    assert search.table().empty
    one, two, three = (search.ask() for _ in range(3))
    search.tell(three, passed(3.0))
    search.tell(one, passed(1.0))
    table = search.table()
    assert list(table.columns) == names
    assert list(table["number"]) == [0, 2]
    assert dict(table.iloc[0][list(GRID)]) == dict(one.choice)
    assert (table["seconds"] >= 0).all()
    assert two.number not in set(table["number"])


def test_a_trial_that_reported_and_did_not_pass_has_no_value(journal):
    config = sampled(early_stopping=True)
    search = Search(journal, config, "i")
    for verdict in ("pruned", "failed"):
        asked = search.ask()
        Link(journal, search.name, asked.key, True).hopeless(weeks([5.0, 6.0]))
        search.tell(asked, TrialResult(verdict, "why"))
    assert search.table()["value"].isna().all()


# Samplers


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_decides_what_is_asked(journal, sampler):
    first, same, other = (
        [a.choice for a in finish(Search(journal, sampled(sampler, 14, seed=seed), name))]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == same
    assert all(one != two for one, two in zip(first, other, strict=True))
    assert all(1 <= c[LAG] <= 30 and 0.01 <= c[SIGMA] <= 10 for c in first)
    assert all(type(c[LAG]) is int for c in first)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sweep_that_is_resumed_or_made_longer_asks_for_new_values(journal, sampler):
    seen = []
    for trials in (3, 3, 6, 9):
        search = Search(journal, sampled(sampler, trials), "i")
        seen += [asked.choice[SIGMA] for asked in finish(search)]
    assert len(seen) == 9 == len(set(seen))


def test_tpe_learns_as_it_does_in_optunas_own_loop(journal):
    sampler = optuna.samplers.TPESampler(seed=1, multivariate=True)
    study = optuna.create_study(sampler=sampler)

    def objective(trial: Trial) -> float:
        sigma = trial.suggest_float(SIGMA, 0.01, 10.0, log=True)
        return trial.suggest_int(LAG, 1, 30) + sigma

    study.optimize(objective, n_trials=16)  # it is guided from the 11th on
    ours = finish(Search(journal, sampled("tpe", 16), "i"))
    assert [dict(asked.choice) for asked in ours] == [trial.params for trial in study.trials]


def test_fewer_trials_than_were_done_leave_nothing_to_do(journal):
    finish(Search(journal, sampled(trials=5), "i"))
    search = Search(journal, sampled(trials=3), "i")
    assert search.ask() is None
    assert search.finished == 5


def test_importances_say_which_setting_mattered(journal):
    search = Search(journal, sampled(trials=20), "i")
    assert search.importances() == {}
    while (asked := search.ask()) is not None:
        search.tell(asked, passed(float(asked.choice[LAG])))
    found = search.importances()
    assert set(found) == set(RANGES)
    assert sum(found.values()) == pytest.approx(1)
    assert found[LAG] > 0.8


def test_importances_are_empty_where_all_values_are_the_same(journal):
    search = Search(journal, sampled(trials=4), "i")
    while (asked := search.ask()) is not None:
        search.tell(asked, passed(2.0))
    assert search.importances() == {}


# Early stopping

START = date(2024, 1, 1)


def weeks(values: list[float], first: int = 0) -> pd.DataFrame:
    days = [START + timedelta(weeks=first + number) for number in range(len(values))]
    return pd.DataFrame({"week": pd.to_datetime(days), "crps": values})


@pytest.fixture
def rivals(journal):
    """Return a search whose best trial has 16 weeks, and a link to a second trial."""
    rng = np.random.default_rng(1)
    best = rng.uniform(90, 110, 16)
    search = Search(journal, sampled(early_stopping=True), "i")
    asked = search.ask()
    assert not Link(journal, search.name, asked.key, True).hopeless(weeks(list(best)))
    search.tell(asked, passed(float(best.mean())))
    link = Link(journal, search.name, search.ask().key, True)
    return search, best, link


def test_a_trial_that_is_clearly_worse_is_hopeless(rivals):
    _, best, link = rivals
    assert link.hopeless(weeks(list(best[:8] * 1.3)))


@pytest.mark.parametrize("factor", [0.5, 0.97, 1.0])
def test_a_trial_that_is_as_good_is_not(rivals, factor):
    _, best, link = rivals
    for first in (0, 8):
        assert not link.hopeless(weeks(list(best[first : first + 8] * factor), first))


def test_chance_alone_makes_no_trial_hopeless(rivals):
    _, best, link = rivals
    turns = np.where(np.arange(16) % 2, 1.1, 0.93)
    for first in (0, 8):
        assert not link.hopeless(weeks(list((best * turns)[first : first + 8]), first))


def test_nothing_is_hopeless_without_early_stopping(rivals):
    search, best, link = rivals
    assert not replace(link, stops_early=False).hopeless(weeks(list(best * 9)))
    assert search._study.trials[1].intermediate_values == {}


def test_the_first_trial_has_nobody_to_be_worse_than(journal):
    search = Search(journal, sampled(early_stopping=True), "i")
    assert not Link(journal, search.name, search.ask().key, True).hopeless(weeks([1e9] * 8))


def test_a_failed_trial_is_no_rival(journal):
    search = Search(journal, sampled(early_stopping=True), "i")
    asked = search.ask()
    Link(journal, search.name, asked.key, True).hopeless(weeks([1.0] * 8))
    search.tell(asked, TrialResult("failed", "did not converge"))
    assert not Link(journal, search.name, search.ask().key, True).hopeless(weeks([9.0] * 8))


def test_a_trial_that_another_worker_had_begun_reports_each_week_once(rivals):
    search, best, link = rivals
    rows = weeks(list(best[:8] * 0.9))
    assert not link.hopeless(rows)
    assert not link.hopeless(rows)  # a warning that a week is there already would be an error
    assert not link.hopeless(weeks(list(best[8:] * 0.9), 8))
    reported = search._study.trials[1].intermediate_values
    days = [(START + timedelta(weeks=number)).toordinal() for number in range(16)]
    assert reported == pytest.approx(dict(zip(days, best * 0.9, strict=True)))


def test_a_week_that_cannot_be_scored_ends_no_trial(rivals):
    _, best, link = rivals
    with pytest.warns(UserWarning, match="NaN"):
        assert not link.hopeless(weeks([math.nan, *(best[1:8] * 1.5)]))


def test_a_password_in_the_address_is_not_shown():
    assert "secret" not in repr(Link("postgresql://me:secret@host/db", "s", 1, True))


def test_a_line_that_a_process_died_in_takes_no_trial_along(journal):
    search = Search(journal, grid(), "i")
    asked = search.ask()
    search.tell(asked, passed(1.0))
    whole = Path(journal).read_bytes()
    Path(journal).write_bytes(whole + b'{"op_code":6,"worker_id":"x","tri')
    for finished in (1, 2):
        again = Search(journal, grid(), "i")
        assert again.finished == finished
        again.tell(again.ask(), passed(2.0))
    assert Path(journal).read_bytes().startswith(whole)
    assert Search(journal, grid(), "i").best == replace(asked, value=1.0)


@pytest.mark.parametrize("content", [b"", b"{", b"no line\n{}"])
def test_any_journal_is_left_with_whole_lines(journal, content):
    path = Path(journal)
    path.parent.mkdir()
    path.write_bytes(content)
    _drop_torn_line(journal)
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1]
    assert [item.name for item in path.parent.iterdir()] == [path.name]  # no lock is left


def test_an_address_is_a_database_or_a_file(tmp_path):
    journal = open_storage(str(tmp_path / "deep" / "studies.log"))
    assert type(journal).__name__ == "JournalStorage"
    assert (tmp_path / "deep" / "studies.log").is_file()
