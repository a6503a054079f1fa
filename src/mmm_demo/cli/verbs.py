"""Words -> pipeline; errors -> exit codes. Heavy modules are imported inside the commands."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmm_demo.cli.care import doctor, reproduce
from mmm_demo.cli.fits import leaderboard, sweep
from mmm_demo.cli.server import server
from mmm_demo.cli.terminal import (
    console,
    errors,
    print_table,
    say,
    show_evidence,
    show_fit,
    show_plan,
    show_track,
)
from mmm_demo.cli.values import OrUnset
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES
from mmm_demo.settings.project import apply_defaults, require_project_root

if TYPE_CHECKING:
    from mmm_demo.settings.experiment import ExperimentConfig
    from mmm_demo.sources.market import MarketingData

KNOWN_ERROR, REFUSED = 1, 3
DEFAULT_EXPERIMENT = "experiments/demo.yaml"
OPEN_UI = "uv run mmm-demo ui"


INT_OR_FILE, FLOAT_OR_FILE = OrUnset(click.INT, "from_file"), OrUnset(click.FLOAT, "from_file")
PORT = click.IntRange(1, 65535)
UNASKED = "from_champion"  # the champion's own budget, or the plan file's


# The verbs in the order of work, as `--help` shows them.
GROUPS = {
    "From a table to a plan": (
        "explore",
        "main",
        "fit",
        "evidence",
        "promote",
        "optimize",
        "track",
    ),
    "Many fits, and what is known of each": ("sweep", "leaderboard", "card", "compare", "report"),
    "Care": ("ui", "doctor", "reproduce", "server"),
}


class Verbs(click.Group):
    """A group of commands whose help shows them in the order of work, each sentence whole."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, group by group."""
        for title, names in GROUPS.items():
            told = [(name, str(self.commands[name].help).partition("\n\n")[0]) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, " ".join(text.split())) for name, text in told])


@click.group(
    cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="mmm-demo")
def cli() -> None:
    """Marketing mix modeling from a weekly table to a budget plan that can be trusted.

    Every fit is an MLflow run; only fits that pass the gate become model versions; plans are made
    with the promoted version alone. Exit codes: 0 done, 1 error, 2 usage, 3 refused by a gate.
    """


def fit_options(command: Callable) -> Callable:
    """Add the options that `main` and `fit` share."""
    options = [
        ("--experiment", click.Path(), "Experiment file.", DEFAULT_EXPERIMENT),
        (
            "--adstock-max-lag",
            INT_OR_FILE,
            "Weeks over which spend works.",
            None,
        ),
        ("--draws", INT_OR_FILE, "Draws per chain.", None),
        ("--tune", INT_OR_FILE, "Tuning draws per chain.", None),
        ("--chains", INT_OR_FILE, "Number of chains.", None),
        ("--target-accept", FLOAT_OR_FILE, "Target acceptance rate.", None),
        ("--seed", INT_OR_FILE, "Seed of the sampler.", None),
    ]
    for name, kind, text, default in reversed(options):
        command = click.option(name, type=kind, help=text, default=default)(command)
    return command


def _experiment(experiment: str, adstock_max_lag: int | None, **sampler: Any) -> "ExperimentConfig":
    from mmm_demo.settings.experiment_file import load_experiment

    given = {name: value for name, value in sampler.items() if value is not None}
    overrides = {"sampler": given} if given else {}
    if adstock_max_lag is not None:
        overrides["model"] = {"adstock_max_lag": adstock_max_lag}
    return load_experiment(experiment, overrides)


def _table(experiment: "ExperimentConfig", root: Path) -> "MarketingData":
    """Return the weekly table; a bad one is refused in a second, before a run is opened."""
    from mmm_demo.sources.market import load_market

    return load_market(experiment.data, experiment.model, root)


@cli.command("main")
@fit_options
def main_command(**options: Any) -> None:
    """Do it all: fit, gate, register, promote, plan."""
    root, experiment = require_project_root(), _experiment(**options)
    data = _table(experiment, root)
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs import main as pipeline

    with watching(console) as watch:
        done = pipeline.run_main(experiment, root, say, watch, data)
    show_fit(done.fit)
    if done.lost:
        console.print(done.lost, style="yellow")
    show_plan(done.plan)
    show_next(done.fit.run.run_id)


@cli.command()
@fit_options
def fit(**options: Any) -> None:
    """Fit one experiment and register it when it passes the gate."""
    root, experiment = require_project_root(), _experiment(**options)
    data = _table(experiment, root)
    from mmm_demo.jobs import main as pipeline

    done = pipeline.run_fit(experiment, root, say, data)
    show_fit(done)
    show_next(done.run.run_id)
    console.print(f"Promote it:  uv run mmm-demo promote --market {experiment.market}")


@cli.command()
@click.option(
    "--experiment", type=click.Path(), help="Experiment file.", default=DEFAULT_EXPERIMENT
)
def explore(experiment: str) -> None:
    """Say what the data can tell, before any fit."""
    from mmm_demo.settings.experiment_file import load_experiment

    root, loaded = require_project_root(), load_experiment(experiment)
    data = _table(loaded, root)
    from mmm_demo.jobs import main as pipeline

    for sentence in pipeline.run_explore(loaded, root, say, data).verdict:
        console.print(f"* {sentence}")


@cli.command()
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
@click.option(
    "--version", "number", type=OrUnset(click.INT, "latest"), help="Default: latest that passed."
)
@click.option("--reason", default="none given", help="Why; recorded with the promotion.")
@click.option("--rollback", is_flag=True, help="Make the previous champion the champion again.")
def promote(market: str, number: int | None, reason: str, rollback: bool) -> None:
    """Make a version the champion, after judging its draws again."""
    if rollback and number is not None:
        raise click.UsageError("--rollback goes back to the previous champion; drop --version")
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs.promotion import run_promote

    require_project_root()  # elsewhere, MLflow would make a new store in the working directory
    with watching(console) as watch:
        run_promote(market, number, reason, rollback, say, watch)


@cli.command()
@click.argument("run")
@click.option(
    "--battery",
    "batteries",
    type=click.Choice(["all", *EVIDENCE_BATTERIES]),
    multiple=True,
    help="Only this one; may be given again. Others keep what they found before.",
)
def evidence(run: str, batteries: Sequence[str]) -> None:
    """Gather evidence about a fit RUN beyond its gate: backtest, recovery, placebo, sensitivity."""
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs import evidence as review

    require_project_root()
    wanted = [] if "all" in batteries else batteries
    with watching(console) as watch:
        done = review.run_evidence(run, wanted, say, watch)
    show_evidence(done)


@cli.command()
@click.argument("version")
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
def card(version: str, market: str) -> None:
    """Make the evidence card of VERSION (a number or an alias): one HTML page."""
    from mmm_demo.jobs import report as reports

    reports.run_card(market, version, require_project_root(), say)


@cli.command()
@click.argument("a")
@click.argument("b")
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
def compare(a: str, b: str, market: str) -> None:
    """Compare two versions A and B: run ids, version numbers or aliases."""
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs import report as reports

    root = require_project_root()
    with watching(console) as watch:
        done = reports.run_compare(market, a, b, root, say, watch)
    print_table("Comparison", ("", a, b, "difference"), done.rows())
    for sentence in done.sentences():
        console.print(f"* {sentence}")


@cli.command()
@click.argument("plan", required=False, type=OrUnset(click.STRING, UNASKED))
@click.option(
    "--market", type=OrUnset(click.STRING, UNASKED), help="Whose champion plans.  [default: demo]"
)
@click.option("--weeks", type=OrUnset(click.INT, UNASKED), help="Length of the window.")
@click.option("--start", type=OrUnset(click.STRING, UNASKED), help="First day, e.g. 2026-01-05.")
@click.option("--total-budget", type=OrUnset(click.FLOAT, UNASKED), help="Money for all weeks.")
@click.option(
    "--objective",
    type=OrUnset(click.STRING, UNASKED),
    help="response, profit, cvar, target_response, target_roas or target_mroas.",
)
@click.option(
    "--margin",
    type=OrUnset(click.FLOAT, UNASKED),
    help="For profit: money earned per unit of sales, e.g. 0.4.",
)
@click.option(
    "--target",
    type=OrUnset(click.FLOAT, UNASKED),
    help="For the three targets: sales by media, or these per unit of money.",
)
def optimize(plan: str | None, market: str | None, **asked: Any) -> None:
    """Plan budgets with the champion: the scenarios of a file PLAN, or one that options ask for."""
    # Imports make many objects that stay, and a plan is soon made: no time to look for garbage.
    gc.disable()
    from mmm_demo.jobs import plan as plan_steps

    settings = {name: value for name, value in asked.items() if value is not None}
    if plan is None:
        done = plan_steps.run_optimize(market or "demo", settings, require_project_root(), say)
    elif market is None and not settings:
        done = plan_steps.run_plan_file(plan, require_project_root(), say)
    else:
        raise click.UsageError("a plan file says everything itself; drop the options")
    show_plan(done)


@cli.command("track")
@click.option("--plan", required=True, help="Run of the plan: its id or the first characters.")
@click.option("--actuals", required=True, type=click.Path(), help="CSV of the weeks that came.")
@click.option(
    "--scenario", type=OrUnset(click.STRING, "first"), help="One of the plan.  [default: first]"
)
def track_command(plan: str, actuals: str, scenario: str | None) -> None:
    """Hold a plan against what came: sales inside the promised interval, spend on plan or not."""
    from mmm_demo.jobs import track

    show_track(track.run_track(plan, Path(actuals), scenario, require_project_root(), say))


@cli.command()
@click.argument("run")
def report(run: str) -> None:
    """Build plots and tables of a fit RUN again."""
    from mmm_demo.jobs import main as pipeline

    pipeline.run_report(run, require_project_root(), say)


@cli.command()
@click.option("--port", default=5000, show_default=True, type=PORT, help="Port to serve at.")
def ui(port: int) -> None:
    """Open the MLflow UI on this machine only."""
    require_project_root()
    from mmm_demo.cli import webui

    webui.serve(port, say)


for command in (sweep, leaderboard, server, reproduce, doctor):
    cli.add_command(command)


def show_next(run_id: str) -> None:
    """Print the run and the command that opens the UI."""
    console.print(f"Run {run_id}\nOpen the UI:  {OPEN_UI}")


def main() -> None:
    """Run the command line and turn known errors into one clear line and an exit code."""
    # Before NumPy is loaded: on small matrices, and beside chains, BLAS threads only cost time.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    apply_defaults()
    # Ended from outside, a run is closed like after any error instead of staying RUNNING.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (ValueError, OSError, RuntimeError) as error:
        from mmm_demo.checks.gate import GateRefused

        refused = isinstance(error, GateRefused)
        errors.print("Refused: " if refused else "Error: ", style="bold red", end="")
        errors.print(str(error))
        sys.exit(REFUSED if refused else KNOWN_ERROR)
