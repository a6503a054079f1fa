"""Promotion: who may become champion, what moves, and what the record says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evidence_tables import backtest_table, placebo_table
from helpers import move_alias_by_force
from mmm_demo.checks.gate import GateFile, GateRefused
from mmm_demo.checks.proof import Bundle, BundleRefused
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.jobs.promote import ContestLost, promote
from mmm_demo.store.provenance import HASH_TAG
from mmm_demo.store.registry import NoVersionError, load_champion
from mmm_demo.store.runs import open_run
from versions import (
    add_a_byte,
    bind,
    data_folder,
    evidence_about,
    last_run,
    number_of,
    run_promotion,
    shift_a_chain,
)

WORSE = ("contest_crps_ratio 1.2 <= 1.05: FAILED; improve it", "refresh_roas_outside 1 <= 0")


class Asked:
    """A judge that remembers what it was asked, and answers what it was told to."""

    def __init__(self, *against: str) -> None:
        self.against, self.calls = against, []

    def __call__(
        self, bundle: Bundle, evidence: Evidence | None, champion: Bundle | None
    ) -> tuple[str, ...]:
        self.calls.append((bundle, evidence, champion))
        return self.against


def test_a_promotion_moves_the_former_champion_to_previous(make_version, store):
    make_version()
    make_version()
    for number, previous in ((1, None), (2, 1), (1, 2), (1, 2)):
        run_promotion(number)
        assert (number_of("champion"), number_of("previous")) == (number, previous)


def test_a_promotion_is_a_run_that_says_who_what_why_and_on_what_evidence(
    make_version, store, lean
):
    make_version()
    second = make_version()
    done = run_promotion(1, reason="first fit")
    assert (done.name, done.version, done.former) == ("mmm_demo", 1, None)
    done = run_promotion(reason="newer data")
    assert (done.version, done.former) == (2, 1)
    assert number_of("champion") == 2
    assert number_of("previous") == 1
    run = last_run(store)
    assert run.info.status == "FINISHED"
    params = run.data.params
    assert params["promotion.model"] == "mmm_demo"
    assert (params["promotion.from"], params["promotion.to"]) == ("1", "2")
    assert params["promotion.reason"] == "newer data"
    assert params["promotion.by"]
    assert params["promotion.rollback"] == "False"
    for name in ("trace.nc", "config.json", "gate.json"):
        assert params[f"evidence.{HASH_TAG}{name}"] == second.tags[f"{HASH_TAG}{name}"]
    assert run.data.tags["promotion"] == "done"
    assert run.data.tags["market"] == "demo"
    judged = GateFile.from_json((lean / "gate.json").read_text()).report.metrics()
    assert {name: run.data.metrics[name] for name in judged} == judged
    kept = store.download_artifacts(run.info.run_id, "gate.json")
    assert json.loads(Path(kept).read_text())["passed"] is True


def test_promoting_the_champion_again_moves_nothing(make_version, store):
    make_version()
    run_promotion()
    run_promotion()
    assert number_of("champion") == 1
    assert number_of("previous") is None
    assert last_run(store).data.params["promotion.from"] == "1"


def test_a_rollback_swaps_back_and_forth(make_version, store):
    make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    for champion, previous in ((1, 2), (2, 1)):
        run_promotion(rollback=True)
        assert number_of("champion") == champion
        assert number_of("previous") == previous
    assert last_run(store).data.params["promotion.rollback"] == "True"


def test_there_must_be_something_to_roll_back_to(make_version, store):
    make_version()
    run_promotion(1)
    with pytest.raises(NoVersionError, match="'demo' has no previous champion to roll back to"):
        run_promotion(rollback=True)
    assert number_of("champion") == 1
    assert last_run(store).info.status == "FAILED"


def test_promoting_a_version_that_is_not_there_moves_nothing(make_version, store):
    make_version()
    run_promotion(1)
    with pytest.raises(NoVersionError, match="no version 9; versions: 1"):
        run_promotion(9)
    assert number_of("champion") == 1


def test_a_refused_promotion_moves_nothing_and_is_on_record(make_version, store):
    make_version()
    run_promotion(1)
    make_version(edit=shift_a_chain)
    with pytest.raises(BundleRefused, match="'draws judged again' failed: rhat_max"):
        run_promotion(2, reason="trust me")
    assert number_of("champion") == 1
    assert number_of("previous") is None
    run = last_run(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["promotion"] == "refused"
    assert run.data.params["promotion.to"] == "2"
    assert run.data.params["promotion.reason"] == "trust me"


def test_a_rollback_to_a_version_that_was_changed_since_is_refused(make_version):
    first = make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    (data_folder(first) / "gate.json").write_text("{}")
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        run_promotion(rollback=True)
    assert number_of("champion") == 2


# The contest


def test_the_judge_gets_the_proven_files_the_evidence_and_the_champion(make_version, demo):
    first, second = make_version(), make_version()
    judge = Asked()
    run_promotion(1, judge=judge)
    evidence = evidence_about(second, {"backtest": backtest_table()})
    bind(second, evidence)
    run_promotion(2, judge=judge)
    (bundle, known, champion), (challenger, gathered, beaten) = judge.calls
    assert (bundle.gate.run_id, known, champion) == (first.run_id, None, None)
    assert bundle.experiment == demo.experiment
    assert challenger.gate.run_id == second.run_id
    assert gathered.checks == evidence.checks
    assert beaten.gate.run_id == first.run_id
    assert number_of("champion") == 2


def test_a_version_that_loses_is_challenger_and_the_champion_stays(make_version, store):
    make_version()
    make_version()
    run_promotion(1)
    with pytest.raises(ContestLost) as lost:
        run_promotion(2, judge=Asked(*WORSE))
    text = "version 2 of mmm_demo is challenger, not champion:"
    assert str(lost.value) == "\n".join([text, *(f"  {line}" for line in WORSE)])
    assert str(lost.value.champion) == "1"
    aliases = ("champion", "challenger", "previous")
    assert [number_of(alias) for alias in aliases] == [1, 2, None]
    run = last_run(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["promotion"] == "lost"
    assert run.data.tags["promotion.against"] == " | ".join(WORSE)
    assert run.data.params["promotion.from"] == "1"


def test_while_a_version_is_judged_the_champion_cannot_move(make_version, store):
    make_version()
    make_version()
    run_promotion(1)

    def impatient(*_: object) -> tuple[str, ...]:
        store.set_registered_model_alias("mmm_demo", "champion", "2")
        return ()

    with pytest.raises(Exception, match="moves only by a recorded promotion"):
        run_promotion(2, judge=impatient)
    assert number_of("champion") == 1


def test_a_judge_that_breaks_promotes_nothing(make_version, store):
    make_version()

    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError("sampler died")

    with pytest.raises(RuntimeError, match="sampler died"):
        run_promotion(judge=broken)
    assert [number_of(alias) for alias in ("champion", "challenger")] == [None, None]
    assert last_run(store).data.tags["promotion"] == "refused"


def test_the_first_version_can_lose_too_and_there_is_no_champion(make_version):
    make_version()
    with pytest.raises(ContestLost) as lost:
        run_promotion(judge=Asked("backtest was not measured"))
    assert lost.value.champion is None
    assert [number_of(alias) for alias in ("champion", "challenger")] == [None, 1]


def test_a_challenger_that_wins_at_last_is_challenger_no_more(make_version):
    make_version()
    make_version()
    run_promotion(1)
    with pytest.raises(ContestLost):
        run_promotion(2, judge=Asked(*WORSE))
    run_promotion(2)
    aliases = ("champion", "challenger", "previous")
    assert [number_of(alias) for alias in aliases] == [2, None, 1]


def test_another_versions_win_leaves_the_challenger(make_version):
    for _ in range(3):
        make_version()
    run_promotion(1)
    with pytest.raises(ContestLost):
        run_promotion(2, judge=Asked(*WORSE))
    run_promotion(3)
    aliases = ("champion", "challenger", "previous")
    assert [number_of(alias) for alias in aliases] == [3, 2, 1]


def test_a_champion_that_does_not_prove_its_pass_is_nothing_to_beat(make_version, store):
    first = make_version()
    make_version()
    run_promotion(1)
    add_a_byte(first)
    judge = Asked()
    run_promotion(2, judge=judge)
    ((_, _, champion),) = judge.calls
    assert champion is None
    said = last_run(store).data.tags["promotion.champion"]
    assert said.startswith("nothing to beat: check 'bytes of trace.nc' failed")
    assert [number_of(alias) for alias in ("champion", "previous")] == [2, 1]


def test_a_champion_made_by_hand_is_nothing_to_beat_and_is_judged_like_any_other(make_version):
    make_version()
    make_version()
    move_alias_by_force("mmm_demo", "champion", 1)
    judge = Asked(*WORSE)
    with pytest.raises(ContestLost):
        run_promotion(1, judge=judge)
    with pytest.raises(ContestLost):
        run_promotion(2, judge=judge)
    assert [champion for _, _, champion in judge.calls] == [None, None]


def test_a_rollback_to_a_version_that_never_won_is_refused(make_version, store):
    make_version()
    make_version()
    run_promotion(1)
    store.set_registered_model_alias("mmm_demo", "previous", "2")
    with pytest.raises(BundleRefused, match="check 'promotion' failed: no promotion of version 2"):
        run_promotion(rollback=True)
    assert number_of("champion") == 1


def test_neither_the_champion_itself_nor_a_rollback_is_judged(make_version):
    make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)
    judge = Asked(*WORSE)
    run_promotion(2, judge=judge)
    run_promotion(rollback=True, judge=judge)
    assert judge.calls == []
    assert [number_of(alias) for alias in ("champion", "previous")] == [1, 2]
    with pytest.raises(ContestLost):  # the same judge, where it is asked
        run_promotion(2, judge=judge)


def test_a_version_that_is_refused_is_not_judged_and_no_challenger(make_version):
    make_version()
    run_promotion(1)
    make_version(edit=shift_a_chain)
    judge = Asked(*WORSE)
    with pytest.raises(BundleRefused):
        run_promotion(2, judge=judge)
    assert judge.calls == []
    assert number_of("challenger") is None


# Evidence that is not the version's own


def refused_evidence(make_version: Callable, spoil: Callable) -> str:
    """Promote a version with spoiled evidence; return why that was refused."""
    make_version()
    second = make_version()
    run_promotion(1)
    spoil(second)
    judge = Asked()
    with pytest.raises(GateRefused) as refusal:
        run_promotion(2, judge=judge)
    assert not isinstance(refusal.value, ContestLost)
    assert judge.calls == []
    aliases = ("champion", "challenger", "previous")
    assert [number_of(alias) for alias in aliases] == [1, None, None]
    return str(refusal.value)


@pytest.mark.parametrize("name", ["trace.nc", "config.json", "gate.json"])
def test_evidence_about_another_file_is_refused_by_name(make_version, store, name):
    def spoil(version):
        made = evidence_about(version, {"placebo": placebo_table()})
        bind(version, replace(made, files={**made.files, name: "0" * 64}))

    assert f"about another {name} than this version's" in refused_evidence(make_version, spoil)
    assert last_run(store).data.tags["promotion"] == "refused"


def test_evidence_about_another_run_is_refused(make_version):
    def spoil(version):
        made = evidence_about(version, {"placebo": placebo_table()})
        bind(version, replace(made, fit_run="0" * 32))

    assert f"about run {'0' * 32}, not about" in refused_evidence(make_version, spoil)


def test_evidence_that_was_edited_is_refused(make_version):
    def spoil(version):
        path = bind(version, evidence_about(version, {"placebo": placebo_table(believed=2)}))
        path.write_text(path.read_text().replace("0.03", "0.00"))

    assert "check 'bytes of evidence.json' failed" in refused_evidence(make_version, spoil)


def test_the_same_evidence_unspoiled_is_taken(make_version):
    make_version()
    second = make_version()
    run_promotion(1)
    bind(second, evidence_about(second, {"placebo": placebo_table()}))
    run_promotion(2)
    assert number_of("champion") == 2


def test_a_promotion_that_is_interrupted_after_the_contest_moves_nothing(make_version, store):
    make_version()

    def interrupted(*_: object) -> tuple[str, ...]:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        open_run("promote demo", "promotion") as run,
    ):
        promote(run, "demo", None, "a test", False, interrupted)
    assert store.get_run(run.run_id).info.status == "KILLED"
    with pytest.raises(NoVersionError):
        load_champion("demo")
