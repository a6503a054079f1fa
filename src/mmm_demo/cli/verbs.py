"""Words -> pipeline; errors -> exit codes. Heavy modules are imported inside the commands."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmm_demo.cli.care import doctor, reproduce
from mmm_demo.cli.fits import improve, leaderboard, sweep
from mmm_demo.cli.process import collect_no_garbage, settle
from mmm_demo.cli.server import server
from mmm_demo.cli.terminal import (
    ID_WIDTH,
    console,
    files_of,
    print_table,
    refusal_shown,
    say,
    show_evidence,
    show_fit,
    show_main,
    show_next,
    show_plan,
    show_track,
    tell,
    tell_error,
)
from mmm_demo.cli.values import MostChange, OrUnset, open_option
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES
from mmm_demo.settings.project import require_project_root

if TYPE_CHECKING:
    from mmm_demo.jobs.fit import FitResult
    from mmm_demo.settings.experiment import ExperimentConfig
    from mmm_demo.sources.market import MarketingData

KNOWN_ERROR, REFUSED = 1, 3
DEFAULT_EXPERIMENT = "experiments/demo.yaml"
OPEN_UI = "uv run mmm-demo ui"


PORT = click.IntRange(1, 65535)


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
    "Many fits, and what is known of each": (
        "improve",
        "sweep",
        "leaderboard",
        "card",
        "compare",
        "report",
    ),
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


experiment_option = click.option(
    "--experiment", type=click.Path(), help="Experiment file.", default=DEFAULT_EXPERIMENT
)


def fit_options(command: Callable) -> Callable:
    """Add the options that `main` and `fit` share."""
    options = [
        ("--adstock-max-lag", click.INT, "Weeks over which spend works."),
        ("--draws", click.INT, "Draws per chain."),
        ("--tune", click.INT, "Tuning draws per chain."),
        ("--chains", click.INT, "Number of chains."),
        ("--target-accept", click.FLOAT, "Target acceptance rate."),
        ("--seed", click.INT, "Seed of the sampler."),
    ]
    command = click.option("--verbose", is_flag=True, help="Show every check of the gate.")(command)
    for option in reversed(options):
        command = open_option(*option, unset="the experiment's", old="from_file")(command)
    return experiment_option(command)


asked = partial(open_option, unset="the champion's own", old="from_champion")


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
def main_command(verbose: bool, **options: Any) -> None:
    """Do it all: fit, gate, register, promote, plan."""
    root, experiment = require_project_root(), _experiment(**options)
    data = _table(experiment, root)
    from mmm_demo.cli.drawing import drawing_beside

    with drawing_beside() as beside:
        from mmm_demo.cli.progress import sampling, watching
        from mmm_demo.jobs.main import run_main

        bar = partial(sampling, console)
        with refusal_shown(verbose), watching(console) as watch:
            done = run_main(experiment, root, say, watch, data, beside, bar)
    show_main(done, verbose)
    show_next(files_of(done.plan) | _of_the_fit(done.fit))


@cli.command()
@fit_options
def fit(verbose: bool, **options: Any) -> None:
    """Fit one experiment and register it when it passes the gate."""
    root, experiment = require_project_root(), _experiment(**options)
    data = _table(experiment, root)
    from mmm_demo.cli.drawing import drawing_beside

    with drawing_beside() as beside:
        from mmm_demo.cli.progress import sampling
        from mmm_demo.jobs.fit import run_fit

        with refusal_shown(verbose):
            done = run_fit(experiment, root, say, data, beside, partial(sampling, console))
    show_fit(done, verbose)
    promote_it = f"uv run mmm-demo promote --market {experiment.market}"
    show_next({"promote it": promote_it} | _of_the_fit(done))


@cli.command()
@experiment_option
def explore(experiment: str) -> None:
    """Say what the data can tell, before any fit."""
    from mmm_demo.settings.experiment_file import load_experiment

    root, loaded = require_project_root(), load_experiment(experiment)
    data = _table(loaded, root)
    from mmm_demo.jobs.explore import run_explore

    tell(run_explore(loaded, root, say, data).verdict)


@cli.command()
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
@open_option("--version", click.INT, "Its number.", unset="the latest that passed", old="latest")
@click.option("--reason", default="none given", help="Why; recorded with the promotion.")
@click.option("--rollback", is_flag=True, help="Make the previous champion the champion again.")
def promote(market: str, version: int | None, reason: str, rollback: bool) -> None:
    """Make a version the champion, after judging its draws again."""
    if rollback and version is not None:
        raise click.UsageError("--rollback goes back to the previous champion; drop --version")
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs.promote import run_promote

    require_project_root()  # elsewhere, MLflow would make a new store in the working directory
    with watching(console) as watch:
        run_promote(market, version, reason, rollback, say, watch)


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
    from mmm_demo.jobs.evidence import run_evidence

    require_project_root()
    wanted = [] if "all" in batteries else batteries
    with watching(console) as watch:
        done = run_evidence(run, wanted, say, watch)
    show_evidence(done)


@cli.command()
@click.argument("version")
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
def card(version: str, market: str) -> None:
    """Make the evidence card of VERSION (a number or an alias): one HTML page."""
    from mmm_demo.jobs.card import run_card

    run_card(market, version, require_project_root(), say)


@cli.command()
@click.argument("a")
@click.argument("b")
@click.option("--market", default="demo", show_default=True, help="Market of the model.")
def compare(a: str, b: str, market: str) -> None:
    """Compare two versions A and B: run ids, version numbers or aliases."""
    from mmm_demo.cli.progress import watching
    from mmm_demo.jobs.compare import run_compare

    root = require_project_root()
    with watching(console) as watch:
        done = run_compare(market, a, b, root, say, watch)
    print_table("Comparison", ("", a, b, "difference"), done.rows())
    tell(done.sentences())


@cli.command()
@click.argument("plan", required=False, type=OrUnset(click.STRING, "from_champion"))
@asked("--market", click.STRING, "Whose champion plans.", unset="demo")
@asked("--weeks", click.INT, "Length of the window.")
@asked("--start", click.STRING, "First day, e.g. 2026-01-05.")
@asked("--total-budget", click.FLOAT, "Money for all weeks.")
@asked(
    "--objective",
    click.STRING,
    "response, profit, cvar, target_response, target_roas or target_mroas.",
)
@asked("--margin", click.FLOAT, "For profit: money earned per unit of sales, e.g. 0.4.")
@asked(
    "--target",
    click.FLOAT,
    "For the three targets: sales by media, or these per unit of money.",
)
@open_option(
    "--bounds",
    MostChange(),
    "Most change by channel, e.g. 0.3, or seen: as far as the data have seen.",
    unset="the champion's own",
)
@open_option(
    "--engine",
    click.STRING,
    "Who solves: own, library (PyMC-Marketing's optimizer) or both.",
    unset="the champion's own",
)
def optimize(plan: str | None, market: str | None, **options: Any) -> None:
    """Plan budgets with the champion: the scenarios of a file PLAN, or one that options ask for."""
    collect_no_garbage()
    from mmm_demo.jobs.plan import run_optimize, run_plan_file

    options["default_bounds"] = options.pop("bounds")
    settings = {name: value for name, value in options.items() if value is not None}
    if plan is None:
        done = run_optimize(market or "demo", settings, require_project_root(), say)
    elif market is None and not settings:
        done = run_plan_file(plan, require_project_root(), say)
    else:
        raise click.UsageError("a plan file says everything itself; drop the options")
    show_plan(done)
    run = done.run.run_id[:ID_WIDTH]
    show_next(
        files_of(done)
        | {"track it later": f"uv run mmm-demo track --plan {run} --actuals FILE.csv"}
        | _in_the_ui(done.run.run_id)
    )


@cli.command("track")
@click.option("--plan", required=True, help="Run of the plan: its id or the first characters.")
@click.option("--actuals", required=True, type=click.Path(), help="CSV of the weeks that came.")
@open_option("--scenario", click.STRING, "One of the plan.", unset="the first", old="first")
def track_command(plan: str, actuals: str, scenario: str | None) -> None:
    """Hold a plan against what came: sales inside the promised interval, spend on plan or not."""
    from mmm_demo.jobs.track import run_track

    show_track(run_track(plan, Path(actuals), scenario, require_project_root(), say))


@cli.command()
@click.argument("run")
def report(run: str) -> None:
    """Build plots and tables of a fit RUN again."""
    from mmm_demo.jobs.report import run_report

    run_report(run, require_project_root(), say)


@cli.command()
@click.option("--port", default=5000, show_default=True, type=PORT, help="Port to serve at.")
def ui(port: int) -> None:
    """Open the MLflow UI on this machine only."""
    require_project_root()
    from mmm_demo.cli import webui

    webui.serve(port, say)


for command in (improve, sweep, leaderboard, server, reproduce, doctor):
    cli.add_command(command)


def _of_the_fit(done: "FitResult") -> dict[str, str]:
    run = done.run.run_id[:ID_WIDTH]
    mend = {"try remedies": f"uv run mmm-demo improve {run}"} if done.report.flags else {}
    steps = mend | {"gather evidence": f"uv run mmm-demo evidence {run}"}
    return steps | _in_the_ui(done.run.run_id)


def _in_the_ui(run_id: str) -> dict[str, str]:
    return {"open the UI": f"{OPEN_UI}   (run {run_id})"}


def main() -> None:
    """Run the command line and turn known errors into one clear line and an exit code."""
    settle()
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
        tell_error(error, refused)
        sys.exit(REFUSED if refused else KNOWN_ERROR)
