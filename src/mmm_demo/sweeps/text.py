"""A sweep in sentences and as the page of its run."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmm_demo.settings.names import as_markdown, markdown_table
from mmm_demo.settings.sweep import SweepConfig, in_words
from mmm_demo.settings.wording import amount

if TYPE_CHECKING:  # words need no library of studies
    from mmm_demo.sweeps.search import Asked

NEXT, REASONS = 5, 5  # rows of the page's tables
MOST = 200  # characters of a reason
MEASURES = {"crps": "mean backtest CRPS (less is better)", "elpd": "ELPD (more is better)"}
WORDS = {"failed": "failed", "pruned": "ended early"}
LUCK = (
    "The best of many is in part lucky: `mmm-demo leaderboard` says which are as good within a "
    "standard error."
)


def headline(
    sweep: SweepConfig, trials: pd.DataFrame, best: "Asked | None", file: Path | None
) -> list[str]:
    """Say what a sweep found, a line each: counts, the best, the next best, what to do.

    Parameters
    ----------
    sweep
        What was searched.
    trials
        `Search.table`.
    best
        The best passing trial; None when none passed.
    file
        Its experiment file; None when none was written.
    """
    lines = [counts(sweep, trials)]
    if most := reasons(trials)[:1]:
        count, _, number, reason = most[0]
        like = "it alone" if count == 1 else f"{count} such"
        lines.append(f"Most frequent reason ({like}): trial {number}, {reason}")
    if best is None:
        return [*lines, what_to_do(sweep, trials)]
    lines.append(f"Best: trial {best.number}, {score(sweep, best.value)} ({in_words(best.choice)})")
    if following := next_best(sweep, trials, best):
        told = [f"trial {number} by {behind}" for number, _, behind, _ in following[:3]]
        lines.append(f"Behind it: {', '.join(told)}")
    lines.append(LUCK.replace("`", ""))
    if file is not None:
        lines.append(f"Fit it:  uv run mmm-demo fit --experiment {file}")
    return lines


def sweep_page(
    sweep: SweepConfig, trials: pd.DataFrame, best: "Asked | None", file: Path | None
) -> str:
    """Return the Markdown of a sweep's page; parameters as `headline`."""
    lines = [f"**{counts(sweep, trials)}**  "]
    if best is None:
        lines += [what_to_do(sweep, trials), ""]
    else:
        choice = in_words(best.choice)
        lines += [f"Best: trial {best.number}, {score(sweep, best.value)} ({choice})", ""]
    lines += [_asked(sweep), ""]
    if file is not None:
        lines += [f"Experiment file of the best, for `mmm-demo fit`: `{file.name}`.", ""]
    if best is not None and (following := next_best(sweep, trials, best)):
        rows = [(str(number), *map(as_markdown, rest)) for number, *rest in following]
        header = ("trial", sweep.objective.upper(), "behind", "settings")
        lines += ["**Next best**", "", *markdown_table(header, rows), "", LUCK, ""]
    if found := reasons(trials):
        lines += ["**Why trials have no value**", ""]
        rows = [[as_markdown(str(cell)) for cell in row] for row in found[:REASONS]]
        lines += markdown_table(("trials", "verdict", "for example", "reason"), rows)
        if rest := sum(count for count, *_ in found[REASONS:]):
            lines += ["", f"{rest} more for other reasons."]
    return "\n".join(lines).rstrip() + "\n"


def counts(sweep: SweepConfig, trials: pd.DataFrame) -> str:
    """Say how many trials passed, failed and ended early, and how many have no value."""
    verdicts = trials["verdict"].value_counts()
    parts = [f"{verdicts.get('passed', 0)} of {len(trials)} trials passed"]
    parts += [f"{verdicts[name]} {word}" for name, word in WORDS.items() if name in verdicts]
    text = f"{sweep.name}: {', '.join(parts)}"
    if without := len(trials) - len(_measured(trials)):
        text += f"; {without} without a value are compared with nothing"
    if to_do := sweep.size - len(trials):
        text += f"; {to_do} of {sweep.size} not done yet"
    return f"{text}."


def score(sweep: SweepConfig, value: float) -> str:
    """Return a value with the name of what it measures, e.g. `CRPS 37,616`."""
    return f"{sweep.objective.upper()} {amount(value)}"


def next_best(
    sweep: SweepConfig, trials: pd.DataFrame, best: "Asked"
) -> list[tuple[int, str, str, str]]:
    """Return number, value, distance from the best and settings of the next best trials."""
    less = sweep.objective == "crps"
    others = _measured(trials).sort_values("value", ascending=less, kind="stable")
    others = others[others["number"] != best.number].head(NEXT)
    found = []
    for _, row in others.iterrows():
        behind = abs(float(row["value"]) - best.value)
        share = f" ({behind / best.value:.1%})" if less and best.value > 0 else ""
        choice = {name: row[name] for name in sweep.search if pd.notna(row[name])}
        words = (amount(float(row["value"])), f"{amount(behind)}{share}", in_words(choice))
        found.append((int(row["number"]), *words))
    return found


def reasons(trials: pd.DataFrame) -> list[tuple[int, str, int, str]]:
    """Return the reasons of trials that did not pass, the most frequent first.

    Reasons that differ only from their first measured number on count as one.

    Returns
    -------
    list
        How many, verdict in words, and number and reason of the first of them.
    """
    rest = trials[trials["verdict"] != "passed"].sort_values("number")
    kinds = [(row.verdict, _kind(row.reason)) for row in rest.itertuples()]
    found = []
    for _, rows in rest.groupby(pd.Series(kinds, index=rest.index, dtype=object)):
        first = rows.iloc[0]
        word = WORDS.get(first["verdict"], first["verdict"])
        found.append((len(rows), word, int(first["number"]), _one_line(first["reason"])))
    return sorted(found, key=lambda item: (-item[0], item[2]))


def what_to_do(sweep: SweepConfig, trials: pd.DataFrame) -> str:
    """Say what to do when no trial passed."""
    if trials.empty:
        return "No trial has ended: run the same command again."
    return (
        "No trial passed, so there is no best one. Fit the experiment by itself (mmm-demo fit "
        f"--experiment {sweep.experiment}): its gate says what to change; then change it or the "
        "search."
    )


def _asked(sweep: SweepConfig) -> str:
    searched = ", ".join(f"`{name}`" for name in sweep.search)
    folds = f" over {sweep.folds} folds" if sweep.objective == "crps" else ""
    return (
        f"Experiment `{sweep.experiment}`, sampler {sweep.sampler}, judged by "
        f"{MEASURES[sweep.objective]}{folds}; searched: {searched}."
    )


def _measured(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[(trials["verdict"] == "passed") & np.isfinite(trials["value"].to_numpy(float))]


def _kind(reason: str) -> str:
    without_place = re.sub(r"\bfold \d+", "a fold", reason)
    return re.split(r"(?<=\s)[-+]?\d", without_place, maxsplit=1)[0]


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST else f"{line[: MOST - 3]}..."
