"""How far a battery of refits has come: bars in a terminal, lines everywhere else."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mmm_demo.batteries import Step, Watch


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
