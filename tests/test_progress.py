"""Progress: lines into a pipe, bars in a terminal, and nothing before there is something to say."""

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from mmm_demo.batteries import Step
from mmm_demo.progress import watching


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
