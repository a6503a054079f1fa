"""Results as people read them on the terminal."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mmm_demo.checks.gate import Check, GateReport
    from mmm_demo.jobs.evidence import EvidenceResult
    from mmm_demo.jobs.fit import FitResult
    from mmm_demo.jobs.improve import ImproveResult
    from mmm_demo.jobs.main import MainResult
    from mmm_demo.jobs.plan import PlanResult
    from mmm_demo.jobs.track import TrackResult

# Names of channels and parameters, e.g. gamma_control[price] or :tv:, are no markup.
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
STEP = re.compile(r"(?<=[.;:]) (?=Next\b|\(\d+\) )")  # before what to try next, and each step of it
ID_WIDTH = 8  # the first characters of a run are never cut, or no command would find it


def say(text: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    console.print(f"> {text}")


def tell(sentences: Iterable[str], style: str = "") -> None:
    """Print sentences as a list; a terminal gets lines that end between words."""
    for sentence in sentences:
        console.print(_filled(f"* {sentence}", console), style=style)


def tell_error(error: Exception, refused: bool) -> None:
    """Print what went wrong: each reason a line, each step to try next a line below it."""
    errors.print("Refused: " if refused else "Error: ", style="bold red", end="")
    for line in "\n".join([str(error), *getattr(error, "__notes__", ())]).splitlines():
        for part in STEP.sub("\n    ", line).splitlines() or [""]:
            errors.print(_filled(part, errors))


def _filled(text: str, to: Console) -> str:
    """Return text whose lines end between words where a person reads them; whole in a pipe."""
    if not to.is_terminal:
        return text
    begin = " " * (len(text) - len(text.lstrip(" ")) + 2)
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, to.width, subsequent_indent=begin, **whole)


def show_main(done: "MainResult", verbose: bool) -> None:
    """Print plan, ROAS and verdict of the main job, in the order in which they are asked for."""
    show_plan(done.plan)
    if done.lost:
        tell([done.lost], "yellow")
    show_fit(done.fit, verbose)


def show_fit(done: "FitResult", verbose: bool) -> None:
    """Print ROAS and verdict of a fit that passed."""
    from mmm_demo.reports.summary import ROAS_TITLE, identification_sentence, roas_table
    from mmm_demo.settings.wording import roas

    results = done.results
    header, rows = roas_table(results.roas)
    if results.truth is not None:
        true = results.truth[results.truth["quantity"] == "ROAS"]["truth"]
        rows = [(*row, roas(value)) for row, value in zip(rows, true, strict=True)]
        header = (*header, "truth")
    title = f"{ROAS_TITLE}: {done.version.name} version {done.version.version} {done.label}"
    print_table(title.rstrip(), header, rows)
    if results.not_identified:
        tell([identification_sentence(results.not_identified)])
    show_gate(done.report, verbose)


def show_gate(report: "GateReport", verbose: bool) -> None:
    """Print a verdict in one line, what is flagged in full, and every check where that is asked."""
    from mmm_demo.reports.summary import GATE_HEADER, flag_lines, gate_rows, gate_sentence

    hint = "" if verbose else " (all of them: --verbose, or the page of the run)"
    console.print(f"{gate_sentence(report)}{hint}", style="bold")
    tell((f"flag: {line}" for line in flag_lines(report)), "yellow")
    if verbose:
        print_table("All checks", GATE_HEADER, gate_rows(report), words=(GATE_HEADER[0],))


@contextmanager
def refusal_shown(verbose: bool) -> Iterator[None]:
    """Print every check of a fit that is refused, where that is asked; its error says the rest."""
    from mmm_demo.checks.gate import GateRefused

    try:
        yield
    except GateRefused as refusal:
        if verbose and refusal.report:
            show_gate(refusal.report, verbose)
        raise


def show_evidence(done: "EvidenceResult") -> None:
    """Print what the batteries found: in one line, what speaks against the fit, all of it."""
    from mmm_demo.reports.summary import check_lines, check_rows, evidence_sentence

    checks: Sequence[Check] = done.evidence.checks
    name = f"{done.version.name} version {done.version.version}"
    console.print(evidence_sentence(name, checks), style="bold")
    tell(check_lines(check for check in checks if not check.passed), "yellow")
    header = ("check", "value", "limit", "status", "where")
    print_table("All checks", header, check_rows(checks), words=(header[0], header[-1]))
    # By its run, which names version and market.
    show_next({"evidence card": f"uv run mmm-demo card {str(done.version.run_id)[:ID_WIDTH]}"})


def show_plan(done: "PlanResult") -> None:
    """Print the plan of the first scenario, and all scenarios side by side."""
    from mmm_demo.reports import summary
    from mmm_demo.reports.plan_text import plan_sentences

    labels = done.ground.labels
    title = f"Plan {done.label} {summary.plan_title(done.plan)}".replace("  ", " ")
    header = summary.plan_header(done.plan)
    print_table(title, header, summary.plan_rows(done.plan, labels), words=(header[-1],))
    tell([*plan_sentences(done.plan, labels), *filter(None, done.last)])
    if len(done.plans) > 1:
        header, title = summary.SCENARIO_HEADER, summary.scenario_title(done.plan)
        print_table(title, header, summary.scenario_rows(done.plans), words=header[3:4])
    tell(summary.doubts_elsewhere(done.plans))


def show_track(done: "TrackResult") -> None:
    """Print the verdict on a plan, and week by week what came."""
    from mmm_demo.reports import track_text

    tell(track_text.sentences(done.outcome))
    print_table(done.title, track_text.HEADER, track_text.rows(done.outcome))
    console.print(f"Tracking run {done.run.run_id}")


def show_improved(done: "ImproveResult") -> None:
    """Print the fit as it is beside its remedies, what is recommended, and how to go on."""
    from mmm_demo.reports.improve_page import HEADER, improve_rows

    if done.found is not None:
        title = "Flags and forecasts, before and after (*: recommended)"
        print_table(title, HEADER, improve_rows(done.found), words=HEADER[1:4:2])
    tell(done.sentences)
    steps = {"page": _here(done.page)}
    if done.file is not None:
        steps["fit it"] = f"uv run mmm-demo fit --experiment {_here(done.file)}"
    show_next(steps)


def _here(path: Path) -> str:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def show_next(steps: Mapping[str, str]) -> None:
    """Print what can be done with a result: where it lies, and commands."""
    console.print("Next:", style="bold")
    for what, where in steps.items():
        begin = f"  {what:<{max(map(len, steps))}}  "
        console.print(begin + f"\n{'':{len(begin)}}".join(where.splitlines()))


def files_of(plan: "PlanResult") -> dict[str, str]:
    """Return where a plan lies, as one would type it here."""
    named = {"plan page": [plan.report], "plan as CSV": plan.files}
    return {what: "\n".join(map(_here, paths)) for what, paths in named.items()}


def print_table(
    title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], words: Sequence[str] = ()
) -> None:
    """Print a table under its title; columns of `words` are wrapped to give numbers their place.

    A word that is too long for its column goes on below: names are commands or settings.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(header):
        justify = "left" if index == 0 or name in words else "right"
        whole = bool(words) and name not in words
        least = ID_WIDTH if name in words else None
        table.add_column(name, justify=justify, no_wrap=whole, min_width=least, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
