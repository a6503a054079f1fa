"""Words -> many fits: the commands that run and compare them."""

from collections.abc import Sequence
from contextlib import ExitStack

import click

from mmm_demo.cli.terminal import console, print_table, say, show_improved, tell
from mmm_demo.cli.values import open_option
from mmm_demo.settings.project import require_project_root

WORKERS = "Processes on this machine, each with one core."


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@open_option(
    "--workers",
    click.IntRange(1),
    WORKERS,
    unset="one per core",
    old="default",
)
@open_option(
    "--scheduler",
    click.STRING,
    "Dask scheduler, e.g. tcp://10.0.0.5:8786; its workers do the trials.",
    unset="this machine",
    old="default",
)
@open_option(
    "--storage",
    click.STRING,
    "Database that keeps the trials, e.g. postgresql+psycopg://...; also by the variable "
    "MMM_DEMO_SWEEP_STORAGE.",
    envvar="MMM_DEMO_SWEEP_STORAGE",
    unset="a journal file in mlruns/",
    old="default",
)
def sweep(
    files: Sequence[str], workers: int | None, scheduler: str | None, storage: str | None
) -> None:
    """Search over settings: the trials of sweep FILES; one that was killed is resumed."""
    root = require_project_root()
    from mmm_demo.settings.sweep import Space

    spaces = [Space.load(file, root) for file in files]  # all of them, before the first trial
    from mmm_demo.cli.progress import sweeping
    from mmm_demo.fits.cores import usable_cores
    from mmm_demo.jobs import sweep as steps
    from mmm_demo.sweeps.text import headline

    for space in spaces:
        with ExitStack() as stack:
            tell = stack.enter_context(sweeping(console, space.sweep.size))
            done = steps.run_sweep(
                space,
                root,
                say,
                tell,
                workers=workers or usable_cores(),
                scheduler=scheduler,
                storage=storage,
            )
        file = done.file and done.file.relative_to(root)
        for line in headline(space.sweep, done.trials, done.best, file):
            console.print(line)


@click.command()
@click.argument("run")
@open_option("--workers", click.IntRange(1), WORKERS, unset="one per core")
@open_option(
    "--scheduler",
    click.STRING,
    "Dask scheduler, e.g. tcp://10.0.0.5:8786; its workers fit them.",
    unset="this machine",
)
def improve(run: str, workers: int | None, scheduler: str | None) -> None:
    """Fit the remedies of a flagged fit RUN; recommend the simplest that helps, or none."""
    root = require_project_root()
    from mmm_demo.fits.cores import usable_cores
    from mmm_demo.jobs.improve import run_improve

    count = workers or usable_cores()
    show_improved(run_improve(run, root, say, workers=count, scheduler=scheduler))


@click.command()
@click.option("--market", default="demo", show_default=True, help="Market of the fits.")
@open_option(
    "--sweep",
    click.STRING,
    "Only the trials of this sweep.",
    unset="all fits and trials",
    old="all",
)
@click.option(
    "--by", type=click.Choice(["crps", "elpd"]), default="crps", show_default=True, help="Score."
)
@click.option("--weights", is_flag=True, help="Also stacking weights of the equally good fits.")
def leaderboard(market: str, sweep: str | None, by: str, weights: bool) -> None:
    """Rank fits by evidence, and show how far the models that are equally good disagree."""
    root = require_project_root()
    from mmm_demo.jobs.leaderboard import run_leaderboard
    from mmm_demo.reports import leaderboard as text

    done = run_leaderboard(market, sweep, by, weights, root, say)
    board = done.board
    title = f"Leaderboard of {done.title} by {text.NAMES[board.by]}\n{text.legend(board)}"
    print_table(title, text.header(board), text.rows(board), words=(text.FIT,))
    if rows := text.unranked_rows(board):
        title = f"Not ranked\n{text.legend(board, ranked=False)}"
        print_table(title, text.UNRANKED, rows, words=(text.FIT, "why"))
    tell(text.sentences(board))
