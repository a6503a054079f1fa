"""Progress: lines into a pipe, bars in a terminal, and nothing before there is something to say."""

import math
import os
import pty
import re
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from helpers import PROJECT
from mmm_demo.cli.progress import Pace, sampling, sweeping, watching
from mmm_demo.evidence.battery import Step


def step(number: int, battery: str = "backtest", name: str = "fold", good: bool = True) -> Step:
    return Step(battery, number, 5, f"{name} {number}", SimpleNamespace(converged=good), {})


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=100, color_system=None)


def said(to: Console) -> str:
    return to.file.getvalue()


def test_a_pipe_gets_one_line_per_refit() -> None:
    pipe = console(terminal=False)
    with watching(pipe) as watch:
        watch(step(1))
        assert said(pipe) == "> backtest 1 of 5: fold 1\n"  # at once, not at the end
        watch(step(2, name="without [red]", good=False))
    assert said(pipe).splitlines()[1:] == [
        "> backtest 2 of 5: without [red] 2, did not converge",
    ]


def test_a_terminal_gets_a_bar_per_battery() -> None:
    terminal = console(terminal=True)
    with watching(terminal) as watch:
        watch(step(1))
        watch(step(4))
        watch(step(2, "placebo", "shifted [red]"))
    shown = said(terminal)
    assert "backtest: fold 4" in shown and "4/5" in shown
    assert "placebo: shifted [red] 2" in shown and "2/5" in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_shown_before_the_first_refit(terminal: bool) -> None:
    """The sampler's own bars come before: two displays at once garble each other."""
    quiet = console(terminal)
    with watching(quiet):
        quiet.print("sampling")
    assert said(quiet) == "sampling\n"


def test_an_error_passes_and_leaves_the_terminal_usable() -> None:
    terminal = console(terminal=True)
    with pytest.raises(KeyboardInterrupt), watching(terminal) as watch:
        watch(step(1))
        raise KeyboardInterrupt
    assert said(terminal).endswith("\x1b[?25h")  # the cursor is shown again
    with watching(terminal) as watch:  # a display that was left open would refuse a second one
        watch(step(2))
    assert "fold 2" in said(terminal)


def test_a_pipe_gets_one_line_per_trial() -> None:
    pipe = console(terminal=False)
    with sweeping(pipe, 3) as tell:
        assert said(pipe) == ""
        tell(1, "trial 0 failed (lag [4])", "none passed yet")
        first = "> 1 of 3: trial 0 failed (lag [4]); best: none passed yet; less than 1 min left\n"
        assert said(pipe) == first  # at once, not at the end
        tell(2, "trial 1 passed, CRPS 37,616\n(lag 8)", "CRPS 37,616 (trial 1)")
        tell(3, "trial 2 passed, CRPS 38,000 (lag 12)", "CRPS 37,616 (trial 1)")
    second, third = said(pipe).splitlines()[1:]
    assert second.startswith("> 2 of 3: trial 1 passed, CRPS 37,616 (lag 8); best: CRPS 37,616")
    assert third.endswith("(lag 12); best: CRPS 37,616 (trial 1)")  # no time is left


def test_a_terminal_gets_one_bar_of_trials() -> None:
    terminal = console(terminal=True)
    with sweeping(terminal, 40) as tell:
        assert "40 trials  time left: -" in said(terminal)  # before the first trial has ended
        tell(12, "trial 11 passed", "CRPS 37,616 (trial [2])")
    shown = said(terminal)
    assert "best: CRPS 37,616 (trial [2])" in shown
    assert re.search(r"12 of 40  0:00:\d\d left", shown)
    assert "trial 11 passed" not in shown


def test_a_finished_bar_says_how_long_it_took() -> None:
    terminal = console(terminal=True)
    with sweeping(terminal, 2) as tell:
        tell(2, "trial 1 passed", "CRPS 3 (trial 1)")
    assert re.search(r"2 of 2  took 0:00:0\d", said(terminal))


def test_a_narrow_terminal_keeps_the_words() -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=60, color_system=None)
    with sweeping(terminal, 40) as tell:
        tell(12, "trial 11 passed", "CRPS 37,616 (trial 2)")
    shown = said(terminal)
    assert "best: CRPS 37,616 (trial 2)" in shown and re.search(r"12 of 40  0:00:\d\d left", shown)


ERASED = "\x1b[2K"


def test_no_bar_is_left_where_nothing_was_to_do() -> None:
    terminal = console(terminal=True)
    with sweeping(terminal, 40):
        terminal.print("all 40 trials were done before")
    assert said(terminal).endswith(ERASED)
    with sweeping(terminal, 40) as tell:
        tell(1, "trial 0 passed", "CRPS 3 (trial 0)")
    assert not said(terminal).endswith(ERASED)


def test_an_error_in_a_sweep_leaves_the_terminal_usable() -> None:
    terminal = console(terminal=True)
    with pytest.raises(KeyboardInterrupt), sweeping(terminal, 4):
        raise KeyboardInterrupt
    assert said(terminal).endswith("\x1b[?25h")
    with sweeping(terminal, 4) as tell:
        tell(1, "trial 0 passed", "CRPS 3 (trial 0)")
    assert "1 of 4" in said(terminal)


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_that_of_this_process() -> None:
    clock = Clock()
    pace = Pace(40, clock)
    assert math.isnan(pace.left)
    clock.now += 30
    pace.note(31)  # thirty were done before, at whatever pace
    assert pace.left == pytest.approx(30 * 9)
    clock.now += 10
    assert pace.left == pytest.approx(30 * 9 - 10)  # it goes down in between
    pace.note(32)
    assert pace.left == pytest.approx(20 * 8)
    assert pace.taken == pytest.approx(40)


def test_time_left_is_not_known_when_the_estimate_has_run_out() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    clock.now += 10
    pace.note(1)
    clock.now += 10.1
    assert math.isnan(pace.left)
    pace.note(2)
    clock.now += 50
    assert pace.left == 0


@pytest.mark.parametrize(
    ("each", "words"),
    [(0.4, "less than 1 min left"), (5, "about 3 min left"), (200, "about 2.2 h left")],
)
def test_time_left_in_words(each: float, words: str) -> None:
    clock, pipe = Clock(), console(terminal=False)
    with sweeping(pipe, 41, clock) as tell:
        clock.now += each
        tell(1, "trial 0 passed", "CRPS 3 (trial 0)")
    assert said(pipe).endswith(f"; {words}\n")


@dataclass
class Screen:
    """A pseudo terminal of 100 columns and what was written to it."""

    console: Console
    _reader: int

    def shown(self) -> str:
        self.console.file.flush()
        found = b""
        while select.select([self._reader], [], [], 0.1)[0]:
            found += os.read(self._reader, 65536)
        return found.decode()


@pytest.fixture
def screen() -> Iterator[Screen]:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as file:
        yield Screen(Console(file=file, width=100, color_system=None), reader)
    os.close(reader)


def chains(done: int, divergences: int = 0) -> SimpleNamespace:
    return SimpleNamespace(done=done, total=12_000, warm_up=4_000, divergences=divergences)


def test_a_terminal_gets_one_bar_for_an_attempt_to_sample(screen: Screen) -> None:
    with sampling(screen.console) as watch:
        time.sleep(0.3)  # it is drawn some times a second
        seen = screen.shown()
        assert "compiling" in seen and "%" not in seen
        watch(chains(1_000))
        time.sleep(0.3)
        watch(chains(3_000))
        time.sleep(0.3)
        seen = screen.shown()
        assert "warming up" in seen and "25 %, " in seen and " s left" in seen
        assert "divergent" not in seen and "drawing" not in seen
        watch(chains(9_000))
        time.sleep(0.3)
        assert "drawing " in screen.shown()
        watch(chains(10_800, divergences=1_234))
        time.sleep(0.3)
        seen = screen.shown()
        assert "drawing, 1,234 divergent" in seen and "90 %" in seen
    screen.console.print("> drew 4 x 2,000 in 3 s (compiled in 2 s)")
    last = screen.shown().rpartition("\x1b[2K")[2]  # the bar's line is cleared
    assert last.strip() == "> drew 4 x 2,000 in 3 s (compiled in 2 s)"


def test_a_bar_that_an_error_ends_leaves_the_terminal_usable(screen: Screen) -> None:
    with pytest.raises(KeyboardInterrupt), sampling(screen.console) as watch:
        watch(chains(1_000))
        raise KeyboardInterrupt
    assert "\x1b[?25h" in screen.shown()  # the cursor is shown again
    with sampling(screen.console):  # a display that was left open would refuse a second one
        pass


def test_a_pipe_gets_no_bar() -> None:
    pipe = console(terminal=False)
    with sampling(pipe) as watch:
        assert watch is None
    assert said(pipe) == ""


@pytest.mark.slow
def test_the_sampler_itself_moves_the_bar(screen: Screen) -> None:
    from mmm_demo.fits.ladder import ladder
    from mmm_demo.fits.sampler import sample_posterior
    from mmm_demo.settings.experiment import SamplerConfig
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.sources.simulate import simulate_market

    model = load_experiment(PROJECT / "experiments" / "demo.yaml").model
    sampler = SamplerConfig(draws=1_000, tune=1_000, chains=2)
    first = next(iter(ladder(sampler.target_accept)))
    with sampling(screen.console) as watch:
        table = simulate_market(1, 104).table
        sample_posterior(model, table, sampler, first, watch=watch)
        seen = screen.shown()
    assert "compiling" in seen and "warming up" in seen and "drawing" in seen and " %, " in seen
