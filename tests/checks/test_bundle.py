"""What a version's files must prove, and every forgery of them that must not pass."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from conftest import FILES, Demo, thinned

from mmm_demo.checks import proof
from mmm_demo.checks.gate import REQUIRED, Check, GateFile, GateRefused, GateReport, PassedGate
from mmm_demo.checks.proof import Bundle, BundleRefused, prove_bundle, require_pass, write_gate
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import load_trace, table_sha256, weekly_table
from mmm_demo.settings.experiment import GateConfig, to_dict
from mmm_demo.settings.experiment_file import from_dict
from mmm_demo.settings.limits import EVIDENCE_BATTERIES, FIT_BATTERIES


@dataclass
class Sealed:
    """A copy of the fit's files, with the hashes that were recorded for them."""

    folder: Path
    recorded: dict[str, str]
    run_id: str
    trace: xr.DataTree
    market: str = "mmm_demo"

    def prove(self) -> Bundle:
        return prove_bundle(
            self.folder,
            recorded=self.recorded,
            run_id=self.run_id,
            registered_model=self.market,
        )

    def record(self) -> None:
        """Record the hashes of the files as they are now: a forger with access to the tags."""
        found = [name for name in FILES if (self.folder / name).is_file()]
        self.recorded = {name: proof.sha256(self.folder / name) for name in found}

    def json(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text("utf-8"))

    def write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content), "utf-8")

    def bind(self) -> None:
        """Make every hash agree: gate.json's files section and the recorded ones."""
        gate = self.json("gate.json")
        gate["files"] = {name: proof.sha256(self.folder / name) for name in gate["files"]}
        self.write("gate.json", gate)
        self.record()

    def change_trace(self, change: Callable[[dict[str, xr.Dataset]], None]) -> None:
        groups = thinned(self.trace, step=1)
        change(groups)
        xr.DataTree.from_dict(groups).to_netcdf(self.folder / "trace.nc", engine="h5netcdf")


@pytest.fixture
def sealed(demo: Demo, lean: Path, lean_model: FittedModel, tmp_path: Path) -> Sealed:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(lean / name, folder / name)
    done = Sealed(folder, {}, demo.run_id, lean_model.trace)
    done.record()
    return done


def test_the_files_of_a_passed_fit_prove_it(demo, fitted):
    sealed = Sealed(demo.files, {}, demo.run_id, fitted.trace)
    sealed.record()
    proven = sealed.prove()
    model = replace(proven.experiment.model, scaling=None)
    assert replace(proven.experiment, model=model) == demo.experiment
    assert proven.experiment.model.scaling  # decided by the fit
    assert proven.gate.report == demo.report
    assert [check.name for check in proven.rejudged.checks] == list(REQUIRED)[1:8]
    # The gate judged the trace as it is stored, so judging again gives the very same numbers.
    assert proven.rejudged == demo.report.stage("convergence")
    ticket = require_pass(proven)
    assert isinstance(ticket, PassedGate)
    assert set(ticket.report.checks) == set(demo.report.checks)
    assert {check.name for check in ticket.report.checks} >= set(REQUIRED)
    assert ticket.report.batteries == demo.report.batteries
    assert proven.files == sealed.recorded


def test_proving_builds_no_model(sealed, monkeypatch):
    monkeypatch.setattr("mmm_demo.fits.build.build_model", None)
    sealed.prove()


# Bytes


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_refused(sealed, name):
    path = sealed.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleRefused, match=f"check 'bytes of {name}' failed: found .*, recorded"):
        sealed.prove()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(sealed, name):
    (sealed.folder / name).unlink()
    with pytest.raises(BundleRefused, match=f"check 'files' failed: {name} is missing"):
        sealed.prove()


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_a_recorded_hash_is_refused(sealed, name):
    del sealed.recorded[name]
    with pytest.raises(BundleRefused, match=f"check 'bytes of {name}' failed: .* recorded None"):
        sealed.prove()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe\xfa", b"not json {"])
def test_a_file_that_cannot_be_read_is_refused(sealed, name, content):
    (sealed.folder / name).write_bytes(content)
    sealed.record()
    with pytest.raises(BundleRefused, match="check 'readable' failed"):
        sealed.prove()


@pytest.mark.parametrize("group", ["posterior", "weekly_table"])
def test_a_trace_without_a_needed_group_is_refused(sealed, group):
    sealed.change_trace(lambda groups: groups.pop(group))
    sealed.bind()
    with pytest.raises(
        BundleRefused, match=f"check 'readable' failed: .* lacks the groups {group}"
    ):
        sealed.prove()


def test_text_where_spend_should_be_is_refused(sealed):
    def spoil(groups: dict[str, xr.Dataset]) -> None:
        table = groups["weekly_table"]
        groups["weekly_table"] = table.assign(TV=("row", ["much"] * table.sizes["row"]))

    sealed.change_trace(spoil)
    sealed.bind()
    with pytest.raises(BundleRefused, match="check 'readable' failed"):
        sealed.prove()


# Belonging


def test_another_markets_files_are_refused(sealed):
    sealed.market = "mmm_north"
    with pytest.raises(BundleRefused, match="check 'market' failed: found mmm_demo"):
        sealed.prove()


def test_the_verdict_of_another_run_is_refused(sealed):
    gate = sealed.json("gate.json")
    sealed.write("gate.json", gate | {"run_id": "f" * 32})
    sealed.record()
    with pytest.raises(BundleRefused, match="check 'run' failed: found ffff"):
        sealed.prove()


def test_a_changed_config_is_refused(sealed):
    config = sealed.json("config.json")
    config["model"]["adstock_max_lag"] = 4
    sealed.write("config.json", config)
    sealed.record()
    with pytest.raises(BundleRefused, match=r"check 'gate.json belongs to config.json' failed"):
        sealed.prove()


def test_a_verdict_that_names_no_files_is_refused(sealed):
    sealed.write("gate.json", sealed.json("gate.json") | {"files": {}})
    sealed.record()
    with pytest.raises(BundleRefused, match=r"'gate.json belongs to trace.nc' failed: found None"):
        sealed.prove()


@pytest.mark.parametrize("column", ["TV", "Sales", "Trend"])
def test_a_changed_weekly_table_is_refused_although_every_file_hash_agrees(sealed, column):
    def spoil(groups: dict[str, xr.Dataset]) -> None:
        groups["weekly_table"][column][3] += 1.0

    sealed.change_trace(spoil)
    sealed.bind()
    with pytest.raises(BundleRefused, match="check 'data' failed"):
        sealed.prove()


# The stored verdict


def failing(report: dict[str, Any], name: str, value: float | None) -> dict[str, Any]:
    """Return the verdict of a fit that failed one check, or could not assess it."""
    status = "not assessable" if value is None else "failed"
    bad = {"value": value, "passed": False, "status": status}
    checks = [check | (bad if check["name"] == name else {}) for check in report["checks"]]
    return report | {"passed": False, "checks": checks}


def test_a_failed_verdict_is_refused_with_its_reason(sealed):
    sealed.write("gate.json", failing(sealed.json("gate.json"), "prior_extreme_share", 0.4))
    sealed.record()
    expected = "check 'stored verdict' failed:.*prior_extreme_share 0.4 <= 0.2"
    with pytest.raises(BundleRefused, match=f"(?s){expected}"):
        sealed.prove()


@pytest.mark.parametrize("value", [0.4, None])
def test_a_failed_verdict_turned_into_passed_contradicts_itself(sealed, value):
    gate = failing(sealed.json("gate.json"), "prior_extreme_share", value)
    sealed.write("gate.json", gate | {"passed": True})
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        sealed.prove()  # the tag still has the hash of the true verdict
    sealed.record()
    with pytest.raises(BundleRefused, match=r"check 'readable' failed: .* contradicts itself"):
        sealed.prove()
    for claim in ({"passed": True}, {"passed": True, "status": "passed"}, {"required": False}):
        checks = [check | claim for check in gate["checks"]]
        sealed.write("gate.json", gate | {"passed": True, "checks": checks})
        sealed.record()
        with pytest.raises(BundleRefused, match=r"check 'readable' failed: .* contradicts itself"):
            sealed.prove()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_loosened_limit_is_refused(sealed, name):
    gate = sealed.json("gate.json")
    comparison, limit = REQUIRED[name]
    loose = 2 * limit + 1 if "<" in comparison else limit / 2
    for check in gate["checks"]:
        if check["name"] == name:
            check["limit"] = loose
    sealed.write("gate.json", gate)
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        sealed.prove()
    sealed.record()
    with pytest.raises(BundleRefused, match=r"check '(readable|stored verdict)' failed"):
        sealed.prove()
    sealed.write("gate.json", gate | {"passed": False})
    sealed.record()
    with pytest.raises(BundleRefused, match=f"(?s)check 'stored verdict' failed:.*{name}"):
        sealed.prove()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_check_left_out_is_refused(sealed, name):
    gate = sealed.json("gate.json")
    checks = [check for check in gate["checks"] if check["name"] != name]
    sealed.write("gate.json", gate | {"checks": checks})
    sealed.record()
    with pytest.raises(BundleRefused, match=r"check 'readable' failed"):
        sealed.prove()
    sealed.write("gate.json", gate | {"checks": checks, "passed": False})
    sealed.record()
    with pytest.raises(BundleRefused, match=f"(?s)'stored verdict' failed:.*{name} was not"):
        sealed.prove()


# Batteries that the version's own config requires


def battery(name: str, value: float = 0.5) -> Check:
    """Return a check of a battery; it passes below 1."""
    return Check(f"{name}_check", name, value, "<", 1.0, "here", "do this")


def judged(
    sealed: Sealed,
    wanted: tuple[str, ...],
    checks: tuple[Check, ...] = (),
    batteries: tuple[str, ...] | None = None,
) -> None:
    """Write the files of a fit whose config wants batteries, and its verdict; all hashes agree."""
    config = sealed.json("config.json")
    config["gate"]["require"] = list(wanted)
    sealed.write("config.json", config)
    stored = GateFile.from_json((sealed.folder / "gate.json").read_text("utf-8"))
    kept = tuple(c for c in stored.report.checks if c.name in REQUIRED)
    judged_by = wanted if batteries is None else batteries
    report = GateReport((*kept, *checks), judged_by)
    write_gate(sealed.folder, report, stored.run_id, stored.data_sha256)
    sealed.record()


def test_a_verdict_with_the_required_batteries_is_a_proof(sealed):
    checks = tuple(battery(name) for name in FIT_BATTERIES)
    judged(sealed, FIT_BATTERIES, checks)
    proven = sealed.prove()
    assert proven.gate.report.batteries == FIT_BATTERIES
    ticket = require_pass(proven)
    assert ticket.report.batteries == FIT_BATTERIES
    assert set(checks) <= set(ticket.report.checks)


@pytest.mark.parametrize("name", FIT_BATTERIES)
@pytest.mark.parametrize("value", [0.5, 2.0, np.nan], ids=["passed", "failed", "not assessable"])
def test_a_battery_taken_from_the_requirement_is_refused_by_name(sealed, name, value):
    # As if it had been advisory all along: gate.json agrees with itself, every hash agrees.
    others = tuple(other for other in FIT_BATTERIES if other != name)
    checks = (*(battery(other) for other in others), battery(name, value))
    judged(sealed, FIT_BATTERIES, checks, batteries=others)
    assert sealed.json("gate.json")["passed"] is True
    expected = f"check 'required batteries' failed: config.json requires {name}, gate.json was"
    with pytest.raises(BundleRefused, match=expected):
        sealed.prove()


def test_a_requirement_and_its_checks_taken_out_together_are_refused_by_name(sealed):
    judged(sealed, FIT_BATTERIES, batteries=())
    names = "posterior_predictive, identification, plausibility"
    with pytest.raises(BundleRefused, match=f"'required batteries' failed: .* requires {names},"):
        sealed.prove()


@pytest.mark.parametrize("name", ["required", "checks"])
def test_a_requirement_edited_in_one_place_only_contradicts_itself(sealed, name):
    judged(sealed, ("plausibility",), (battery("plausibility", 2.0),))
    gate = sealed.json("gate.json")
    assert gate["passed"] is False
    without = {
        "required": [],
        "checks": [
            check | {"required": check["stage"] != "plausibility"} for check in gate["checks"]
        ],
    }
    sealed.write("gate.json", gate | {"passed": True, name: without[name]})
    sealed.record()
    with pytest.raises(BundleRefused, match=r"check 'readable' failed: .* contradicts itself"):
        sealed.prove()


@pytest.mark.parametrize("name", FIT_BATTERIES)
@pytest.mark.parametrize("value", [2.0, np.nan])
def test_a_required_battery_that_does_not_pass_is_refused(sealed, name, value):
    judged(sealed, (name,), (battery(name, value),))
    with pytest.raises(BundleRefused, match=f"(?s)'stored verdict' failed:.*{name}_check"):
        sealed.prove()


def test_a_required_battery_that_was_not_made_is_refused(sealed):
    judged(sealed, ("identification",))
    with pytest.raises(
        BundleRefused, match=r"(?s)'stored verdict' failed:.*identification was not measured"
    ):
        sealed.prove()


def test_an_advisory_check_that_fails_refuses_nothing_and_stays_a_flag(sealed):
    judged(sealed, (), (battery("plausibility", 2.0), battery("identification", np.nan)))
    report = require_pass(sealed.prove()).report
    assert [check.stage for check in report.flags] == ["plausibility", "identification"]


def test_a_verdict_may_require_more_than_its_config(sealed):
    judged(sealed, (), (battery("plausibility"),), batteries=("plausibility",))
    assert require_pass(sealed.prove()).report.batteries == ("plausibility",)


def test_batteries_of_refits_are_not_asked_of_the_fit(sealed):
    # They are gathered later, into evidence that is bound to the version by hash.
    judged(sealed, EVIDENCE_BATTERIES, batteries=())
    assert sealed.prove().experiment.gate.require == EVIDENCE_BATTERIES


# The draws, judged again


def shift_a_chain(groups: dict[str, xr.Dataset]) -> None:
    groups["posterior"]["saturation_beta"][0] += 1.0


def repeat_few_draws(groups: dict[str, xr.Dataset]) -> None:
    draws = groups["posterior"]["adstock_alpha"]
    draws[:] = np.repeat(draws.to_numpy()[:, :20], draws.sizes["draw"] // 20, axis=1)


def drop_a_chain(groups: dict[str, xr.Dataset]) -> None:
    for name in ("posterior", "sample_stats"):
        groups[name] = groups[name].isel(chain=slice(0, 3))


def keep_one_chain(groups: dict[str, xr.Dataset]) -> None:
    for name in ("posterior", "sample_stats"):
        groups[name] = groups[name].isel(chain=slice(0, 1))


def diverge_once(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"]["diverging"][1, 7] = True


def freeze_a_parameter(groups: dict[str, xr.Dataset]) -> None:
    groups["posterior"]["y_sigma"][:] = 0.05


def lose_a_draw(groups: dict[str, xr.Dataset]) -> None:
    groups["posterior"]["y_sigma"][0, 0] = np.nan


def drop_a_parameter(groups: dict[str, xr.Dataset]) -> None:
    groups["posterior"] = groups["posterior"].drop_vars("gamma_fourier")


def drop_a_channel(groups: dict[str, xr.Dataset]) -> None:
    groups["posterior"] = groups["posterior"].isel(channel=slice(0, 3))


def drop_the_statistics(groups: dict[str, xr.Dataset]) -> None:
    del groups["sample_stats"]


def drop_the_divergences(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"] = groups["sample_stats"].drop_vars("diverging")


def drop_the_energy(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"] = groups["sample_stats"].drop_vars("energy")


def freeze_the_energy(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"]["energy"][2] = 200.0


def lose_an_energy(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"]["energy"][3, 5] = np.nan


def slow_the_energy(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"]["energy"][1] = np.arange(groups["sample_stats"].sizes["draw"])


def drop_the_depths(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"] = groups["sample_stats"].drop_vars("maxdepth_reached")


def cut_every_draw_short(groups: dict[str, xr.Dataset]) -> None:
    groups["sample_stats"]["maxdepth_reached"][:] = True


def keep_few_draws(groups: dict[str, xr.Dataset]) -> None:
    for name in ("posterior", "sample_stats"):
        groups[name] = groups[name].isel(draw=slice(0, 100))


FORGED_DRAWS = {
    shift_a_chain: r"rhat_max .* saturation_beta",
    repeat_few_draws: r"ess_bulk_min .* adstock_alpha",
    keep_few_draws: r"ess_bulk_min .*ess_tail_min",
    drop_a_chain: r"chains 3 >= 4",
    keep_one_chain: r"rhat_max nan .*chains 1 >= 4",
    diverge_once: r"divergences 1 <= 0",
    freeze_a_parameter: r"rhat_max nan .* y_sigma",
    lose_a_draw: r"rhat_max nan .* y_sigma",
    drop_a_parameter: r"rhat_max nan .* gamma_fourier \(missing\)",
    drop_a_channel: r"rhat_max nan",
    drop_the_statistics: r"divergences nan .*bfmi_min nan .*max_depth_share nan",
    drop_the_divergences: r"divergences nan",
    drop_the_energy: r"bfmi_min nan >= 0\.3 at sample_stats\.energy \(missing",
    freeze_the_energy: r"bfmi_min nan >= 0\.3 at chain 2",
    lose_an_energy: r"bfmi_min nan >= 0\.3 at chain 3",
    slow_the_energy: r"bfmi_min .* >= 0\.3 at chain 1: FAILED",
    drop_the_depths: r"max_depth_share nan <= 0\.05",
    cut_every_draw_short: r"max_depth_share 1 <= 0\.05.*: FAILED",
}


@pytest.mark.parametrize("forge", FORGED_DRAWS, ids=lambda forge: forge.__name__)
def test_draws_that_do_not_pass_are_refused_although_every_hash_agrees(sealed, forge):
    sealed.change_trace(forge)
    sealed.bind()
    expected = f"check 'draws judged again' failed: .*{FORGED_DRAWS[forge]}"
    with pytest.raises(BundleRefused, match=expected):
        sealed.prove()


def test_a_trace_that_was_only_written_again_still_passes(sealed):
    # The forgeries above fail for what they change, not for how they are written.
    sealed.change_trace(lambda groups: None)
    sealed.bind()
    assert not sealed.prove().rejudged.failures


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"ess_bulk_min": 50_000.0}, "ess_bulk_min .* > 50000"),
        ({"rhat_max": 1.0000001}, "rhat_max .* < 1"),
        ({"chains_min": 6}, "chains 4 >= 6"),
    ],
)
def test_draws_are_judged_by_the_experiments_own_limits_where_those_are_tighter(
    sealed, demo, gate, expected
):
    strict = replace(demo.experiment, gate=replace(demo.experiment.gate, **gate))
    sealed.write("config.json", to_dict(strict))
    sealed.bind()
    with pytest.raises(BundleRefused, match=f"check 'draws judged again' failed: .*{expected}"):
        sealed.prove()


def test_a_draw_that_was_cut_short_is_judged_by_the_experiments_own_limit(sealed, demo):
    def cut_one_draw_short(groups: dict[str, xr.Dataset]) -> None:
        groups["sample_stats"]["maxdepth_reached"][1, 7] = True

    sealed.change_trace(cut_one_draw_short)
    sealed.bind()
    assert not sealed.prove().rejudged.failures  # 5 % are let pass
    none = replace(demo.experiment.gate, max_depth_share_max=0.0)
    sealed.write("config.json", to_dict(replace(demo.experiment, gate=none)))
    sealed.bind()
    with pytest.raises(BundleRefused, match=r"'draws judged again' failed: max_depth_share .*<= 0"):
        sealed.prove()


def test_draws_are_judged_by_todays_limits_where_those_are_tighter(sealed, monkeypatch):
    monkeypatch.setattr(proof, "GateConfig", lambda: GateConfig(ess_tail_min=50_000.0))
    with pytest.raises(BundleRefused, match=r"'draws judged again' failed: .*ess_tail_min"):
        sealed.prove()


def test_a_config_that_loosens_the_gate_is_refused(sealed):
    config = sealed.json("config.json")
    config["gate"]["rhat_max"] = 1.5
    sealed.write("config.json", config)
    sealed.bind()
    with pytest.raises(BundleRefused, match=r"(?s)check 'readable' failed: .*gate\.rhat_max"):
        sealed.prove()


def test_fewer_chains_than_the_fit_asked_for_are_refused(sealed, demo):
    config = sealed.json("config.json")
    config["sampler"]["chains"] = 6
    sealed.write("config.json", config)
    sealed.bind()
    with pytest.raises(BundleRefused, match="chains 4 >= 6"):
        sealed.prove()


def test_every_refusal_is_a_refusal_of_the_gate():
    assert issubclass(BundleRefused, GateRefused)  # the command line answers it with exit code 3


# Writing


def test_a_verdict_is_bound_to_the_files_beside_it(sealed, demo):
    table = weekly_table(load_trace(sealed.folder / "trace.nc"), demo.experiment.model)
    path = write_gate(sealed.folder, demo.report, "run", table_sha256(table))
    written = json.loads(path.read_text())
    assert written["files"] == {
        name: proof.sha256(sealed.folder / name) for name in ("trace.nc", "config.json")
    }
    assert written["run_id"] == "run"
    assert written["data_sha256"] == table_sha256(table)


def test_a_verdict_from_before_sampling_names_no_trace(demo, tmp_path):
    proof.write_config(tmp_path, demo.experiment)
    path = write_gate(tmp_path, demo.report.stage("prior"), "run", "data")
    assert list(json.loads(path.read_text())["files"]) == ["config.json"]


def test_the_config_reads_back_as_the_same_experiment(demo, tmp_path):
    written = proof.write_config(tmp_path, demo.experiment)
    again = from_dict(json.loads(written.read_text()), "config.json")
    assert again == demo.experiment
    assert again.fingerprint == demo.experiment.fingerprint
