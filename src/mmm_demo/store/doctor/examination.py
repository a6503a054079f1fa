"""What is broken in the project's store, and how to mend it. Nothing is ever deleted."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mmm_demo.settings.run_schema import Say
from mmm_demo.store.doctor.finding import Diagnosis, Finding
from mmm_demo.store.doctor.remedies import Remedies
from mmm_demo.store.doctor.store import is_own, place_findings, run_findings, store_findings
from mmm_demo.store.doctor.versions import alias_findings, record_findings, version_findings
from mmm_demo.store.health import Model, address, has_store, own_models
from mmm_demo.store.runs import StoreError, store_errors

AGAIN = "uv run mmm-demo doctor"
# What looking and mending may end in; KeyError and the like would be a fault of the doctor.
ERRORS = (StoreError, sqlite3.Error, OSError, ValueError)


def run_doctor(root: Path, fix: bool, say: Say) -> Diagnosis:
    """Look at store, runs, versions and aliases; mend what is safe to mend when asked to.

    What cannot be looked at is a finding. Without a store, none is started.

    Parameters
    ----------
    root
        The project's folder.
    fix
        Whether to mend what is safe: runs left open by processes that are gone, paths of a moved
        folder, files that a promotion kept a copy of, an unused experiment of a server.
    say
        Told what is looked at.
    """
    visit, uri = _Visit(fix), address()
    say(f"looking at the store {uri}")
    if not visit.look("store", partial(store_findings, root, uri)):
        return visit.diagnosis()
    if not has_store(uri):
        visit.notes.append(f"no store yet at {uri}; the first run makes it: uv run mmm-demo main")
        return visit.diagnosis()
    say("looking at open runs and at the paths of artifacts")
    visit.look("runs", run_findings)
    if not is_own(root, uri):
        visit.notes.append(f"the paths of artifacts in {uri} are not looked at: not this project's")
    elif not visit.look("artifact paths", partial(place_findings, root)):
        visit.notes.append("versions and aliases are not looked at before artifact paths are right")
        return visit.diagnosis()
    models: list[Model] = []
    visit.look("registered models", lambda: models.extend(own_models()) or [])
    for model in models:
        say(f"looking at {model.name}: its {len(model.versions)} versions and aliases")
        _look_at_model(visit, model, Remedies(model, root))
    return visit.diagnosis()


def _look_at_model(visit: "_Visit", model: Model, remedies: Remedies) -> None:
    visit.look(f"records of {model.name}", partial(record_findings, model, remedies))
    faulty = [
        number
        for number, version in model.versions.items()
        if not visit.look(
            f"version {number} of {model.name}", partial(version_findings, version, remedies)
        )
    ]
    visit.look(f"aliases of {model.name}", partial(alias_findings, model, remedies, faulty))


class _Visit:
    """Looks, mends and remembers."""

    def __init__(self, fix: bool) -> None:
        self.fix = fix
        self.left: list[Finding] = []
        self.mended: list[str] = []
        self.notes: list[str] = []

    def look(self, name: str, look: Callable[[], list[Finding]]) -> bool:
        """Look at one thing, mend what is safe, and return whether all is well now."""
        before = len(self.left)
        try:
            with store_errors():
                found = look()
        except ERRORS as error:
            found = [Finding(f"cannot be looked at: {_line(error)}", name, AGAIN)]
        for finding in found:
            self._mend(finding)
        return len(self.left) == before

    def _mend(self, finding: Finding) -> None:
        if not (self.fix and finding.fix):
            self.left.append(finding)
            return
        try:
            with store_errors():
                self.mended.append(finding.fix())
        except ERRORS as error:
            what = f"{finding.what}; not mended: {_line(error)}"
            self.left.append(Finding(what, finding.where, finding.mend))

    def diagnosis(self) -> Diagnosis:
        return Diagnosis(tuple(self.left), tuple(self.mended), tuple(self.notes))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
