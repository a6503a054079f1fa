"""How far refits and trials have come: bars in a terminal, lines everywhere else."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from mmm_demo.evidence.battery import Step, Watch
from mmm_demo.settings.wording import seconds

if TYPE_CHECKING:  # loads the library of models
    from mmm_demo.fits.sampler import Progress as Chains

FIRST = 5  # percent of all draws after which they tell how long the others take


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """Yield what batteries report to; it shows one bar per battery, or one line per refit."""
    if not console.is_terminal:
        yield lambda step: console.print(f"> {_line(step)}", markup=False)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bars, tasks = Progress(*columns, console=console), {}
    with ExitStack() as stack:

        def watch(step: Step) -> None:
            if not tasks:  # shown from the first refit on: the sampler has bars of its own before
                stack.enter_context(bars)
            if step.battery not in tasks:
                tasks[step.battery] = bars.add_task(step.battery, total=step.total)
            text = f"{step.battery}: {step.name}"
            bars.update(tasks[step.battery], completed=step.number, description=text)

        yield watch


def _line(step: Step) -> str:
    verdict = "" if step.refit.converged else ", did not converge"
    return f"{step.battery} {step.number} of {step.total}: {step.name}{verdict}"


@contextmanager
def sampling(console: Console) -> Iterator[Callable[["Chains"], None] | None]:
    """Yield what an attempt to sample reports to; a terminal gets a bar that goes when it ends.

    Elsewhere it is told nothing: the job says in a line what it begins, and in one what came.
    """
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), _LeftColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("compiling", total=None)

        def watch(chains: "Chains") -> None:
            words = "warming up" if chains.done < chains.warm_up else "drawing"
            if chains.divergences:
                words += f", {chains.divergences:,} divergent"
            bar.update(task, total=chains.total, completed=chains.done, description=words)

        yield watch


class _LeftColumn(ProgressColumn):
    """Shows `62 %, 3 s left`; nothing while it is not known how much is to be done."""

    def render(self, task: Task) -> Text:
        """Return the text of this moment."""
        if task.total is None:
            return Text("")
        left = task.time_remaining
        known = left is not None and task.percentage >= FIRST  # the first draws are the slowest
        return Text(f"{task.percentage:.0f} %{f', {seconds(left)} left' if known else ''}")


@contextmanager
def sweeping(
    console: Console, total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, str, str], None]]:
    """Yield what a sweep reports to; it shows one bar, or one line per trial.

    It is told how many trials have ended, and in words the last one and the best one so far.

    Parameters
    ----------
    console
        Where it is shown.
    total
        Trials of the sweep; those that ended in an earlier process are among them.
    clock
        Returns the time in seconds.
    """
    pace = Pace(total, clock)
    if not console.is_terminal:

        def write(finished: int, line: str, best: str) -> None:
            pace.note(finished)
            text = f"> {finished} of {total}: {line}; best: {best}{_left_in_words(pace.left)}"
            console.print(" ".join(text.split()), markup=False)

        yield write
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),  # it gives way to the words in a narrow terminal
        _PaceColumn(pace),
    )
    with Progress(*columns, console=console, refresh_per_second=2) as bar:
        task = bar.add_task("no trial yet", total=total)

        def update(finished: int, line: str, best: str) -> None:
            pace.note(finished)
            bar.update(task, completed=finished, description=f"best: {best}")

        yield update
        bar.live.transient = pace.finished is None  # nothing was left to do


class Pace:
    """How fast the trials of this process end; earlier ones tell nothing about it.

    Parameters
    ----------
    total
        Trials in all.
    clock
        Returns the time in seconds.

    Attributes
    ----------
    finished
        How many have ended, with those before this process; None until the first one of it.
    """

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self.total, self.finished = total, None
        self._clock, self._began = clock, clock()
        self._before, self._last = 0, self._began

    def note(self, finished: int) -> None:
        """Note that a trial ended, the so many-th."""
        if self.finished is None:
            self._before = finished - 1
        self.finished, self._last = finished, self._clock()

    @property
    def taken(self) -> float:
        """Seconds from the start to the last trial that ended."""
        return self._last - self._began

    @property
    def left(self) -> float:
        """Seconds until all have ended; NaN while it is not known, or longer than estimated."""
        if self.finished is None:
            return math.nan
        if self.finished >= self.total:
            return 0.0
        each = self.taken / (self.finished - self._before)
        left = each * (self.total - self.finished) - (self._clock() - self._last)
        return left if left > 0 else math.nan


class _PaceColumn(ProgressColumn):
    """Shows `12 of 40  0:01:30 left`."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(Column(no_wrap=True))
        self.pace = pace

    def render(self, task: Task) -> Text:
        """Return the text of this moment."""
        pace = self.pace
        if pace.finished is None:  # how many ended before this process is not known yet
            return Text(f"{pace.total} trials  time left: -")
        return Text(f"{pace.finished} of {pace.total}  {self._time()}")

    def _time(self) -> str:
        left = self.pace.left
        if left == 0:
            return f"took {_clock_words(self.pace.taken)}"
        return f"{_clock_words(left)} left" if math.isfinite(left) else "time left: -"


def _clock_words(seconds: float) -> str:
    return str(timedelta(seconds=math.ceil(seconds)))


def _left_in_words(seconds: float) -> str:
    """Return how much time is left as the end of a sentence; nothing at the end of the sweep."""
    if not seconds > 0:
        return ""
    minutes = seconds / 60
    if minutes < 1:
        return "; less than 1 min left"
    if minutes < 90:
        return f"; about {minutes:.0f} min left"
    return f"; about {minutes / 60:.1f} h left"
