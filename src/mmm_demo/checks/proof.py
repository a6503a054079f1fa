"""The files of a model version: written once, and proven before anyone plans with them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.checks.gate import GateFile, GateRefused, GateReport, PassedGate
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import TraceError, load_trace, table_sha256
from mmm_demo.settings.batteries import FIT_BATTERIES
from mmm_demo.settings.experiment import ExperimentConfig, GateConfig, free_parameters, to_dict
from mmm_demo.settings.experiment_file import from_dict

TRACE, CONFIG, GATE = "trace.nc", "config.json", "gate.json"
FILES = (TRACE, CONFIG, GATE)


class BundleRefused(GateRefused):
    """A version whose files do not prove a pass."""


@dataclass(frozen=True)
class Bundle:
    """A proven version: the experiment, the model and the evidence.

    Attributes
    ----------
    experiment
        Experiment as it was resolved for the fit.
    fitted
        The model, rebuilt from config and arrays.
    gate
        Verdict at the time of the fit.
    rejudged
        Convergence, judged again from the stored draws under today's limits.
    files
        Sha256 of each file.
    """

    experiment: ExperimentConfig
    fitted: FittedModel
    gate: GateFile
    rejudged: GateReport
    files: Mapping[str, str]


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_config(folder: Path, experiment: ExperimentConfig) -> Path:
    """Write `config.json` into a folder."""
    path = folder / CONFIG
    path.write_text(json.dumps(to_dict(experiment), indent=2) + "\n", encoding="utf-8")
    return path


def read_config(folder: Path) -> ExperimentConfig:
    """Read `config.json` of a folder.

    Raises
    ------
    ConfigError
        When it is no valid experiment.
    """
    return from_dict(json.loads((folder / CONFIG).read_text("utf-8")), CONFIG)


def write_gate(folder: Path, report: GateReport, run_id: str, data_sha256: str) -> Path:
    """Write `gate.json`, bound to the trace and the config that lie beside it."""
    files = {name: sha256(folder / name) for name in (TRACE, CONFIG) if (folder / name).is_file()}
    path = folder / GATE
    path.write_text(GateFile(report, run_id, data_sha256, files).to_json(), encoding="utf-8")
    return path


def prove_bundle(
    folder: Path, *, recorded: Mapping[str, str], run_id: str, registered_model: str
) -> Bundle:
    """Prove that the files of a version passed the gate, and rebuild the model from them.

    Two proofs: the stored verdict says passed and belongs to these very files, and the stored
    draws, judged again under today's limits, agree. Only data is read; nothing in a file is
    imported or called.

    Parameters
    ----------
    folder
        Holds trace.nc, config.json and gate.json.
    recorded
        Sha256 by file name, as recorded when the version was registered.
    run_id, registered_model
        Fit run and registered model that the version must belong to.

    Raises
    ------
    BundleRefused
        Names the check that failed.
    """
    _check_files(folder, recorded)
    try:
        experiment = read_config(folder)
        gate = GateFile.from_json((folder / GATE).read_text("utf-8"))
        fitted = FittedModel(experiment.model, load_trace(folder / TRACE))
        data = table_sha256(fitted.table, fitted.config.calendar)
    except (ValueError, TraceError) as error:  # ConfigError and GateFileError are ValueErrors
        raise BundleRefused(f"check 'readable' failed: {error}") from None
    _check("market", experiment.registered_model, registered_model)
    _check("run", gate.run_id, run_id)
    _check("data", data, gate.data_sha256)
    for name in (TRACE, CONFIG):
        _check(f"{GATE} belongs to {name}", gate.files.get(name), sha256(folder / name))
    if not gate.report.passed:
        raise BundleRefused(f"check 'stored verdict' failed: {gate.report.reasons()}")
    _check_batteries(gate.report, experiment)
    rejudged = rejudge(fitted, experiment)
    if rejudged.failures or not rejudged.checks:
        raise BundleRefused(f"check 'draws judged again' failed: {rejudged.failed() or 'no draws'}")
    return Bundle(experiment, fitted, gate, rejudged, {name: recorded[name] for name in FILES})


def rejudge(fitted: FittedModel, experiment: ExperimentConfig) -> GateReport:
    """Judge stored draws under today's limits: the stricter of the version's and the project's."""
    limits = experiment.gate.tighter_with(GateConfig())
    parameters = free_parameters(experiment.model)
    return GateReport(
        convergence_checks(fitted.trace, parameters, limits, experiment.sampler.chains)
    )


def require_pass(bundle: Bundle) -> PassedGate:
    """Return the pass of a proven bundle: its stored verdict, with convergence judged again."""
    kept = [check for check in bundle.gate.report.checks if check.stage != "convergence"]
    report = GateReport((*kept, *bundle.rejudged.checks), bundle.gate.report.batteries)
    return report.require()


def _check_files(folder: Path, recorded: Mapping[str, str]) -> None:
    for name in FILES:
        if not (folder / name).is_file():
            raise BundleRefused(f"check 'files' failed: {name} is missing")
        _check(f"bytes of {name}", sha256(folder / name), recorded.get(name))


def _check_batteries(report: GateReport, experiment: ExperimentConfig) -> None:
    """Refuse a verdict that was given without a battery that the fit makes and its config wants."""
    wanted = [name for name in experiment.gate.require if name in FIT_BATTERIES]
    if missing := [name for name in wanted if name not in report.batteries]:
        raise BundleRefused(
            f"check 'required batteries' failed: {CONFIG} requires {', '.join(missing)}, "
            f"{GATE} was judged without"
        )


def _check(name: str, found: str | None, wanted: str | None) -> None:
    if found is None or found != wanted:
        raise BundleRefused(f"check '{name}' failed: found {found}, recorded {wanted}")
