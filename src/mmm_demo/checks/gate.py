"""A verdict as values: checks, the report they make, and the pass that only a report can give."""

import json
import math
from collections.abc import Iterable
from dataclasses import InitVar, asdict, dataclass
from typing import Any

from mmm_demo.settings.limit_table import BY_CHECK, COMPARISONS

PASSED, FAILED, NOT_ASSESSABLE = "passed", "failed", "not assessable"
SEVERITY = (PASSED, NOT_ASSESSABLE, FAILED)
PRIOR_DRIVEN, DATA_DRIVEN = "prior-driven", "data-driven"  # what a channel's ROAS rests on
# Every check that a pass needs, with its comparison and the loosest limit it may be judged by.
REQUIRED = {name: (limit.comparison, float(limit.default)) for name, limit in BY_CHECK.items()}


class GateRefused(RuntimeError):
    """A fit, a version or a champion that did not pass. Results must not be used.

    Attributes
    ----------
    report
        The checks, where it is a fit that is refused.
    """

    def __init__(self, text: str, report: "GateReport | None" = None) -> None:
        super().__init__(text)
        self.report = report


class GateFileError(ValueError):
    """A stored verdict that cannot be read as one."""


@dataclass(frozen=True)
class Check:
    """One measured property against its limit.

    Attributes
    ----------
    name, stage
        What was measured, and in which step of the pipeline.
    value, comparison, limit
        Passed when the value is finite and `value comparison limit` holds.
    where
        Parameter or part with the worst value.
    advice
        What to do when it fails.
    """

    name: str
    stage: str
    value: float
    comparison: str
    limit: float
    where: str = ""
    advice: str = ""

    @classmethod
    def required(
        cls, name: str, value: float, where: str, advice: str, limit: float | None = None
    ) -> "Check":
        """Return a check that a pass needs, judged by the project's limit or a stricter one."""
        told = BY_CHECK[name]
        bound = told.default if limit is None else limit
        return cls(name, told.stage, float(value), told.comparison, float(bound), where, advice)

    @property
    def passed(self) -> bool:
        """Whether the value keeps the limit; NaN and infinity keep none: unmeasured is failed."""
        kept = COMPARISONS[self.comparison](self.value, self.limit)
        return bool(kept) and math.isfinite(self.value)

    @property
    def status(self) -> str:
        """`passed`, `failed`, or `not assessable` where there is no finite value."""
        if not math.isfinite(self.value):
            return NOT_ASSESSABLE
        return PASSED if self.passed else FAILED

    @property
    def loosened(self) -> bool:
        """Whether a required check was judged by another measure than the project demands."""
        limit = BY_CHECK.get(self.name)
        return limit is not None and not (
            self.comparison == limit.comparison and limit.allows(self.limit)
        )

    def __str__(self) -> str:
        """Say the check in one line."""
        place = f" at {self.where}" if self.where else ""
        shown = {PASSED: "passed", FAILED: "FAILED", NOT_ASSESSABLE: "NOT ASSESSABLE"}[self.status]
        return f"{self.name} {self.value:.6g} {self.comparison} {self.limit:g}{place}: {shown}"


@dataclass(frozen=True)
class GateReport:
    """All checks of one fit.

    Attributes
    ----------
    checks
        Required ones and advisory ones.
    batteries
        Stages whose checks are required beside `REQUIRED`.
    """

    checks: tuple[Check, ...]
    batteries: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required checks and batteries that were not made."""
        names, stages = ({getattr(item, of) for item in self.checks} for of in ("name", "stage"))
        left_out = [name for name in REQUIRED if name not in names]
        return (*left_out, *(battery for battery in self.batteries if battery not in stages))

    def requires(self, check: Check) -> bool:
        """Whether a pass needs this check."""
        return check.name in REQUIRED or check.stage in self.batteries

    @property
    def failures(self) -> tuple[Check, ...]:
        """Required checks that did not pass."""
        return tuple(item for item in self.checks if self.requires(item) and not item.passed)

    @property
    def flags(self) -> tuple[Check, ...]:
        """Advisory checks that failed or could not be assessed; shown wherever results are."""
        return tuple(item for item in self.checks if not self.requires(item) and not item.passed)

    @property
    def loosened(self) -> tuple[Check, ...]:
        """Required checks that were judged less strictly than the project demands."""
        return tuple(check for check in self.checks if check.loosened)

    @property
    def passed(self) -> bool:
        """Whether every required check was made, none was loosened, and all of them passed."""
        return not self.missing and not self.loosened and not self.failures

    def with_checks(self, checks: Iterable[Check]) -> "GateReport":
        """Return a report that has these checks too."""
        return GateReport((*self.checks, *checks), self.batteries)

    def stage(self, stage: str) -> "GateReport":
        """Return the checks of one stage."""
        return GateReport(tuple(check for check in self.checks if check.stage == stage))

    def require(self) -> "PassedGate":
        """Return the proof of a pass.

        Raises
        ------
        GateRefused
            When a check failed or was not made; names each with its advice.
        """
        if not self.passed:
            raise GateRefused(f"the gate refused this fit:\n{self.reasons()}", self)
        return PassedGate(self, _KEY)

    def failed(self) -> str:
        """Name the failed checks in one line."""
        return " | ".join(str(check) for check in self.failures)

    def metrics(self) -> dict[str, float]:
        """Return the values as metrics for the tracking store, e.g. `gate.rhat_max`."""
        return {f"gate.{check.name}": check.value for check in self.checks}

    def reasons(self) -> str:
        """Say why the report is no pass, a line for each reason."""
        found = [f"{check}; {check.advice}" for check in self.failures]
        found += [f"{name} was not measured" for name in self.missing]
        found += [
            f"{check.name} was judged by {check.comparison} {check.limit:g}; at least "
            f"{' '.join(map(str, REQUIRED[check.name]))} is required"
            for check in self.loosened
        ]
        return "\n".join(f"  {line}" for line in found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; a value that is not finite becomes null."""
        checks = [
            asdict(check)
            | {"value": check.value if math.isfinite(check.value) else None}
            | {"passed": check.passed, "status": check.status, "required": self.requires(check)}
            for check in self.checks
        ]
        return {"passed": self.passed, "required": list(self.batteries), "checks": checks}


_KEY = object()


def worst_by_stage(checks: Iterable[Check]) -> dict[str, str]:
    """Return a status by stage: the worst of its checks stands for it."""
    found: dict[str, str] = {}
    for check in checks:
        known = found.get(check.stage, PASSED)
        found[check.stage] = max(known, check.status, key=SEVERITY.index)
    return found


@dataclass(frozen=True)
class PassedGate:
    """Proof that a report passed. Made by `GateReport.require` alone."""

    report: GateReport
    key: InitVar[object]

    def __post_init__(self, key: object) -> None:
        """Refuse to be made by anyone else."""
        if key is not _KEY or not self.report.passed:
            raise GateRefused("a PassedGate is made by GateReport.require() only")


@dataclass(frozen=True)
class GateFile:
    """What `gate.json` holds: the verdict and what it was made of.

    Attributes
    ----------
    report
        The checks.
    run_id
        Fit run that the verdict belongs to.
    data_sha256
        Identity of the weekly table (`trace.table_sha256`).
    files
        Sha256 of each file that the verdict was made from.
    """

    report: GateReport
    run_id: str
    data_sha256: str
    files: dict[str, str]

    def to_json(self) -> str:
        """Return the file's text."""
        plain = self.report.to_dict()
        plain |= {"run_id": self.run_id, "data_sha256": self.data_sha256, "files": self.files}
        return json.dumps(plain, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "GateFile":
        """Read a stored verdict; each check is judged again from its value and limit.

        Raises
        ------
        GateFileError
            When the text is no verdict, or claims of a check or of the whole what its own values
            do not say: whether it passed, its status, whether it is required.
        """
        try:
            plain = json.loads(text)
            checks = tuple(read_check(item) for item in plain["checks"])
            report = GateReport(checks, _read_batteries(plain["required"]))
            stored = cls(
                report, str(plain["run_id"]), str(plain["data_sha256"]), dict(plain["files"])
            )
            claimed, found = _claims(plain), _claims(report.to_dict())
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise GateFileError(f"gate.json is not a readable verdict: {error!r}") from None
        if claimed != found:
            raise GateFileError("gate.json contradicts itself: a verdict differs from its values")
        return stored


def _claims(plain: dict[str, Any]) -> str:
    """Return what a verdict says of itself, as JSON text: there 1 is not true."""
    each = [[item[claim] for claim in ("passed", "status", "required")] for item in plain["checks"]]
    return json.dumps([plain["passed"], each])


def _read_batteries(given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"required must be a list of names, got {given!r}")
    return tuple(given)


def read_check(item: dict[str, Any]) -> Check:
    """Return a check from plain values, as `GateReport.to_dict` writes them."""
    if item["comparison"] not in COMPARISONS:
        raise ValueError(f"unknown comparison {item['comparison']!r}")
    value = math.nan if item["value"] is None else float(item["value"])
    return Check(
        name=str(item["name"]),
        stage=str(item["stage"]),
        value=value,
        comparison=item["comparison"],
        limit=float(item["limit"]),
        where=str(item["where"]),
        advice=str(item["advice"]),
    )
