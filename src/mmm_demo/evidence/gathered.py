"""Evidence beyond convergence: what the batteries found, bound to the fit that they examined."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.checks.gate import Check, GateRefused, GateReport, read_check
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence.batteries import REFITTED
from mmm_demo.evidence.battery import Examination, Watch
from mmm_demo.settings.limits import GateConfig

EVIDENCE = "evidence.json"
FLAGS = {"converged"}.union(*(battery.flags for battery in REFITTED.values()))
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


class EvidenceError(ValueError):
    """Stored evidence that cannot be read as such, or belongs to another fit."""


@dataclass(frozen=True)
class Evidence:
    """What the batteries of refits found.

    Attributes
    ----------
    tables
        By battery: the rows that its checks were judged from (`batteries`).
    fit_run
        Run of the fit that was examined.
    files
        Sha256 of the examined trace, config and gate file.
    unassessed
        By battery: why it could not be run at all.
    """

    tables: Mapping[str, pd.DataFrame]
    fit_run: str
    files: Mapping[str, str]
    unassessed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Checks of every battery, judged from the tables."""
        found: list[Check] = []
        for name, battery in REFITTED.items():
            if name in self.tables:
                found += battery.judge(self.tables[name])
            elif name in self.unassessed:
                found.append(_not_run(name, self.unassessed[name]))
        return tuple(found)

    def failures(self, limits: GateConfig) -> tuple[str, ...]:
        """Say which batteries that an experiment requires did not pass; empty when all did."""
        required = [name for name in limits.require if name in REFITTED]
        made = {check.stage for check in self.checks}
        report = GateReport(self.checks, tuple(required))
        said = [f"{check}; {check.advice}" for check in report.failures]
        missing = [name for name in required if name not in made]
        return (*said, *(f"{name} was not measured; run: mmm-demo evidence" for name in missing))

    def to_json(self) -> str:
        """Return the file's text."""
        plain = {
            "fit_run": self.fit_run,
            "files": dict(self.files),
            "checks": GateReport(self.checks).to_dict()["checks"],
            "unassessed": dict(self.unassessed),
            "tables": {name: _plain(table) for name, table in self.tables.items()},
        }
        return json.dumps(plain, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Evidence":
        """Read stored evidence; every check is judged again from the stored rows.

        Raises
        ------
        EvidenceError
            When the text is no evidence, or its verdicts differ from its rows.
        """
        try:
            plain = json.loads(text)
            read = cls(
                {str(name): _table(rows) for name, rows in plain["tables"].items()},
                str(plain["fit_run"]),
                dict(plain["files"]),
                dict(plain["unassessed"]),
            )
            stored = [read_check(item) for item in plain["checks"]]
            claims = [item["passed"] for item in plain["checks"]]
            found = read.checks
        except UNREADABLE as error:
            raise EvidenceError(f"{EVIDENCE} is not readable evidence: {error!r}") from None
        same = [_verdict(check) for check in stored] == [_verdict(check) for check in found]
        if not same or claims != [check.passed for check in found]:
            raise EvidenceError(f"{EVIDENCE} contradicts itself: a verdict differs from its rows")
        return read

    def require_about(self, files: Mapping[str, str], fit_run: str) -> None:
        """Refuse evidence about anything but these files of this fit.

        Raises
        ------
        GateRefused
            Names the file that differs.
        """
        if self.fit_run != fit_run:
            raise GateRefused(f"{EVIDENCE} is about run {self.fit_run}, not about {fit_run}")
        for name, digest in files.items():
            if self.files.get(name) != digest:
                raise GateRefused(f"{EVIDENCE} is about another {name} than this version's")


def gather(
    bundle: Bundle, fit_run: str, wanted: Sequence[str], known: Evidence | None, watch: Watch
) -> Evidence:
    """Run the batteries that are wanted; those known before stay as they were.

    Parameters
    ----------
    bundle, fit_run
        Proven files of the fit, and its run.
    wanted
        Names of batteries.
    known
        Evidence gathered before about the same files.
    watch
        Is told of each refit.
    """
    of = bundle.experiment
    examination = Examination(bundle.fitted, of.budget, of.evidence, of.sampler.seed, watch)
    tables = dict(known.tables) if known else {}
    unassessed = dict(known.unassessed) if known else {}
    for name in wanted:
        tables.pop(name, None)
        unassessed.pop(name, None)
        try:
            tables[name] = REFITTED[name].run(examination)
        except ValueError as fault:  # too few weeks, or a budget that a variant cannot plan
            unassessed[name] = str(fault)
    return Evidence(tables, fit_run, bundle.files, unassessed)


def read_evidence(path: Path) -> Evidence:
    """Read evidence from a file (`Evidence.from_json`).

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    EvidenceError
        When it holds no evidence.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{path} is not readable evidence: {error}") from None
    return Evidence.from_json(text)


def _not_run(battery: str, why: str) -> Check:
    advice = "give the battery the weeks or the settings that it needs"
    return Check(f"{battery}_run", battery, math.nan, ">=", 1.0, why, advice)


def _verdict(check: Check) -> tuple[str, str, str, str]:
    # Six digits: the sums may end differently on another processor.
    return check.name, check.status, f"{check.value:.6g}", f"{check.limit:.6g}"


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows of exact plain values; null where there is none."""
    return [{name: _cell(value) for name, value in row.items()} for row in table.to_dict("records")]


def _cell(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return None if pd.isna(value) or value in (math.inf, -math.inf) else value


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    nothing = table.columns[table.isna().all()]
    table = table.astype(dict.fromkeys(nothing, "float64"))  # else they would be objects
    for name in FLAGS.intersection(table):
        if table[name].dtype != bool:  # any text would count as true
            raise ValueError(f"{name} must be true or false in every row")
    if "week" in table:
        table["week"] = pd.to_datetime(table["week"], format="ISO8601")
    return table
