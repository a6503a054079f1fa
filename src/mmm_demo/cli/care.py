"""Words -> care for what is there: the store's health, and fits that are made again."""

from functools import partial

import click

from mmm_demo.cli.terminal import console, print_table, say, tell
from mmm_demo.settings.project import require_project_root

SOMETHING_LEFT = 1


@click.command()
@click.argument("run")
@click.pass_context
def reproduce(context: click.Context, run: str) -> None:
    """Fit RUN again from its own artifacts and say whether the draws are equal, or why not."""
    root = require_project_root()
    from mmm_demo.cli.progress import sampling
    from mmm_demo.jobs import reproduce as reproduce_steps

    done = reproduce_steps.run_reproduce(run, root, say, partial(sampling, console))
    if rows := done.rows():
        print_table("What is not as it was", reproduce_steps.HEADER, rows)
    tell(done.sentences())
    if not done.reproduced:
        context.exit(SOMETHING_LEFT)


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe; the rest is told with its command.")
@click.pass_context
def doctor(context: click.Context, fix: bool) -> None:
    """Find what is broken in the project's store, and say how to mend it."""
    root = require_project_root()
    from mmm_demo.store.doctor.examination import run_doctor
    from mmm_demo.store.doctor.finding import diagnosis_lines

    done = run_doctor(root, fix, say)
    for line in diagnosis_lines(done):
        console.print(line)
    if not done.healthy:
        context.exit(SOMETHING_LEFT)
