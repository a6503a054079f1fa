"""Results as people read them on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mmm_demo.jobs.evidence import EvidenceResult
    from mmm_demo.jobs.main import FitResult
    from mmm_demo.jobs.plan import PlanResult
    from mmm_demo.jobs.track import TrackResult

# Names of channels and parameters, e.g. gamma_control[price] or :tv:, are no markup.
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
ID_WIDTH = 8  # the first characters of a run are never cut, or no command would find it


def say(text: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    console.print(f"> {text}")


def show_fit(done: "FitResult") -> None:
    """Print the verdict and ROAS of a fit."""
    from mmm_demo.reports.summary import flag_lines, gate_rows, identification_sentence, roas_table
    from mmm_demo.settings.wording import ROAS_UNIT, roas

    results = done.results
    print_table("Gate: passed", ("check", "value", "limit", "verdict"), gate_rows(done.report))
    header, rows = roas_table(results.roas)
    if results.truth is not None:
        true = results.truth[results.truth["quantity"] == "ROAS"]["truth"]
        rows = [(*row, roas(value)) for row, value in zip(rows, true, strict=True)]
        header = (*header, "truth")
    title = f"Incremental ROAS ({ROAS_UNIT}) {done.label}".strip()
    print_table(title, header, rows)
    for line in flag_lines(done.report):
        console.print(f"flag: {line}", style="yellow")
    if results.not_identified:
        console.print(identification_sentence(results.not_identified))


def show_evidence(done: "EvidenceResult") -> None:
    """Print what the batteries found."""
    from mmm_demo.reports.summary import check_rows

    header = ("check", "value", "limit", "status", "where")
    print_table(
        f"Evidence about {done.version.name} version {done.version.version}",
        header,
        check_rows(done.evidence.checks),
    )
    # By its run, which names version and market.
    console.print(f"Evidence card:  uv run mmm-demo card {str(done.version.run_id)[:8]}")


def show_plan(done: "PlanResult") -> None:
    """Print the plan of the first scenario, and all scenarios side by side."""
    from mmm_demo.reports import summary
    from mmm_demo.reports.plan_page import basis
    from mmm_demo.reports.plan_text import plan_sentences

    labels = done.ground.labels

    title = f"Plan {done.label} {summary.plan_title(done.plan)}".replace("  ", " ")
    print_table(title, summary.PLAN_HEADER, summary.plan_rows(done.plan, labels))
    for sentence in [*plan_sentences(done.plan, labels), basis(done.ground)]:
        console.print(f"* {sentence}")
    if len(done.plans) > 1:
        print_table("Scenarios", summary.SCENARIO_HEADER, summary.scenario_rows(done.plans))
    for doubt in summary.doubts_elsewhere(done.plans):
        console.print(f"* {doubt}")
    console.print(f"Report: {done.report}")
    for file in done.files:
        console.print(f"Plan: {file}")


def show_track(done: "TrackResult") -> None:
    """Print a plan against what came, week by week, and the verdict."""
    from mmm_demo.reports import track_text

    print_table(done.title, track_text.HEADER, track_text.rows(done.outcome))
    for sentence in track_text.sentences(done.outcome):
        console.print(f"* {sentence}")
    console.print(f"Tracking run {done.run.run_id}")


def print_table(
    title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], words: Sequence[str] = ()
) -> None:
    """Print a table under its title; columns of `words` are wrapped to give numbers their place."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(header):
        justify = "left" if index == 0 or name in words else "right"
        whole = bool(words) and name not in words
        least = ID_WIDTH if name in words else None
        table.add_column(name, justify=justify, no_wrap=whole, min_width=least)
    for row in rows:
        table.add_row(*row)
    console.print(table)
