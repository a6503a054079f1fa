"""What the doctor finds: what is wrong, where, and the command that mends it."""

from collections.abc import Callable
from dataclasses import dataclass

FIX = "uv run mmm-demo doctor --fix"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that could not be looked at.

    Attributes
    ----------
    what
        What is wrong, in words.
    where
        Run, version, file or store that it is about.
    mend
        The exact next command.
    fix
        Mends it and returns what was done; None where only a person may decide.
    """

    what: str
    where: str
    mend: str
    fix: Callable[[], str] | None = None

    @property
    def safe(self) -> bool:
        """Whether `--fix` may mend it."""
        return self.fix is not None


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor leaves behind.

    Attributes
    ----------
    left
        Still to be mended.
    mended
        What `--fix` did, in words.
    notes
        What is no fault, but good to know.
    """

    left: tuple[Finding, ...]
    mended: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is left to mend."""
        return not self.left


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Return the diagnosis as people read it: two lines a finding, what and the next command."""
    lines = [f"Mended: {text}" for text in diagnosis.mended]
    for number, finding in enumerate(diagnosis.left, 1):
        lines += [f"{number}. {finding.where}: {finding.what}", f"     {finding.mend}"]
    lines += [f"Note: {text}" for text in diagnosis.notes]
    many = len(diagnosis.left)
    left = "nothing" if many == 0 else f"{many} thing{'s' if many > 1 else ''}"
    return [*lines, f"{left} left to mend".capitalize() + "."]
