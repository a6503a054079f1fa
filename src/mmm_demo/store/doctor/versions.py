"""Versions that lost the files that passed, and aliases that point to such versions."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from mmm_demo.checks.gate import GateRefused
from mmm_demo.checks.proof import FILES, sha256
from mmm_demo.store.champion import CHAMPION
from mmm_demo.store.doctor.finding import FIX, Finding
from mmm_demo.store.doctor.remedies import Remedies, python_command, refusal
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.health import INTACT, MISSING, Model, Place, places
from mmm_demo.store.provenance import HASH_TAG, written_hashes
from mmm_demo.store.registry import CHALLENGER, PREVIOUS, ModelVersion


def record_findings(model: Model, remedies: Remedies) -> list[Finding]:
    """Return, in one finding, the versions of whose files no run on record wrote the sha256.

    They cannot prove a pass, whatever their files say; those with an alias are found by it.
    """
    numbers = [
        number
        for number, version in model.versions.items()
        if not _recorded(version) and number not in model.aliases.values()
    ]
    if not numbers:
        return []
    many = "versions" if len(numbers) > 1 else "version"
    where = f"{many} {', '.join(map(str, numbers))} of {model.name}"
    what = "no run on record wrote the sha256 of the files, so no pass can be proven"
    return [Finding(what, where, f"fit again, and give up the old: {remedies.drop(numbers)}")]


def version_findings(version: ModelVersion, remedies: Remedies) -> list[Finding]:
    """Return what is wrong with the files of a version, and with what is recorded about them."""
    where = f"version {version.version} of {version.name}"
    if not _recorded(version):
        return []  # `record_findings` has it
    written = written_hashes(version)
    return [
        *_tag_findings(version, where, written),
        *_file_findings(version, where, written, remedies),
        *_evidence_findings(version, where),
    ]


def _recorded(version: ModelVersion) -> bool:
    return set(written_hashes(version)) == set(FILES)


def _tag_findings(version: ModelVersion, where: str, written: dict[str, str]) -> list[Finding]:
    found = []
    for name in FILES:
        tag = f"{HASH_TAG}{name}"
        if version.tags.get(tag) == written[name]:
            continue
        what = f"tag {tag} is not the sha256 that its run wrote"
        words = f"'{version.name}', '{version.version}', '{tag}', '{written[name]}'"
        found.append(Finding(what, where, python_command(f"C().set_model_version_tag({words})")))
    return found


def _file_findings(
    version: ModelVersion, where: str, written: dict[str, str], remedies: Remedies
) -> list[Finding]:
    number = int(version.version)
    own, *copies = places(version, written)
    found, faulty = [], _faulty(own)
    if faulty:
        whole = next((item for item in copies if not _faulty(item)), None)
        what = _told(own, remedies)
        if whole is None:
            found.append(Finding(what, where, remedies.replace(number)))
        else:
            what += "; the copy that its promotion keeps is whole"
            found.append(_restorable(what, where, own, whole, written, remedies))
    for copy in copies:
        if lost := _faulty(copy):
            what = f"the copy that its promotion keeps is not whole: {_told(copy, remedies)}"
            mend = remedies.replace(number) if faulty else remedies.copy(own, copy, lost)
            found.append(Finding(what, where, mend))
    return found


def _restorable(
    what: str, where: str, own: Place, copy: Place, written: dict[str, str], remedies: Remedies
) -> Finding:
    """Return a finding that is mended from a copy: missing files safely, changed ones by hand."""
    faulty = _faulty(own)
    changed = any(own.states[name] != MISSING for name in faulty)
    if changed or own.folder is None or copy.folder is None:
        return Finding(what, where, remedies.copy(copy, own, faulty))
    wanted = {name: written[name] for name in faulty}
    return Finding(what, where, FIX, partial(_restore, copy.folder, own.folder, wanted, where))


def _restore(source: Path, target: Path, wanted: dict[str, str], where: str) -> str:
    """Copy missing files back from a whole copy; nothing that is there is touched."""
    target.mkdir(parents=True, exist_ok=True)
    for name, digest in wanted.items():
        with (target / name).open("xb") as file:
            file.write((source / name).read_bytes())
        if sha256(target / name) != digest:
            raise ValueError(f"{target / name} is not what {source / name} was a moment ago")
    return f"{where} has {', '.join(wanted)} again, from the copy that its promotion keeps"


def _faulty(place: Place) -> list[str]:
    return [name for name, state in place.states.items() if state != INTACT]


def _told(place: Place, remedies: Remedies) -> str:
    files = ", ".join(f"{name} is {place.states[name]}" for name in _faulty(place))
    if place.folder:
        return f"{files} in {remedies.shown(place.folder)}"
    return f"{files} ({place.fault or 'on the server'})"


def _evidence_findings(version: ModelVersion, where: str) -> list[Finding]:
    try:
        load_evidence(version)
    except GateRefused as refused:
        what = str(refused).partition("; gather it anew")[0]
        return [Finding(what, where, f"uv run mmm-demo evidence {str(version.run_id)[:8]}")]
    return []


def alias_findings(model: Model, remedies: Remedies, faulty: Collection[int]) -> list[Finding]:
    """Return the aliases of a model that point to versions that do not prove what they stand for.

    `champion` and `previous` stand for a proven pass and a promotion on record, `challenger` for a
    proven pass.

    Parameters
    ----------
    model, remedies
        The registered model, and what mends it.
    faulty
        Versions with findings of their own; mended, they may prove their pass again.
    """
    found = []
    for alias in (CHAMPION, CHALLENGER, PREVIOUS):
        number = model.aliases.get(alias)
        if number is None:
            continue
        version = model.versions.get(number)
        why = refusal(version, alias != CHALLENGER) if version else "there is no such version"
        if why:
            what, where = f"points to version {number}: {why}", f"alias {alias} of {model.name}"
            mend = remedies.realias(alias, number)
            if number in faulty:
                mend = f"mend version {number} first, as told above; then: uv run mmm-demo doctor"
            found.append(Finding(what, where, mend))
    return found
