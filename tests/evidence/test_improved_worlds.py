"""The benchmark of `improve`: which worlds it makes, that it goes on, and how it sums up."""

import argparse
import json
import math

import pytest
from improved_worlds import (
    asked_worlds,
    clustered_interval,
    improved_world,
    line_of,
    rows_of,
    run_improved,
    summary_lines,
)
from mendable_worlds import CLEAN, FOLLOWING, MENDABLE
from scipy.stats import binomtest

from each import each


def asked(**given):
    usual = {"seeds": 2, "clean": 3, "following": 1, "faults": "", "first_seed": 5}
    return argparse.Namespace(**usual | {"workers": 1, "folds": 2, "out": None} | given)


def row(fault, seed, before=(True, True), after=None, flags=(), flags_after=None, better=""):
    def side(inside, flagged):
        named = {f"channel {n}": of for n, of in enumerate(inside)}
        return {
            "refused": "", "flags": list(flagged), "inside": named, "error": {},
            "wrong": [name for name, of in named.items() if not of],
        }  # fmt: skip

    return {
        "fault": fault, "seed": seed, "recommended": better, "seconds": 9.0,
        "before": side(before, flags),
        "after": side(before if after is None else after,
                      flags if flags_after is None else flags_after),
    }  # fmt: skip


def test_worlds_are_asked_seed_by_seed_so_that_an_early_stop_has_of_all():
    worlds = asked_worlds(asked())
    assert len(worlds) == len(set(worlds)) == 2 * len(MENDABLE) + 3 + 1
    assert {fault for fault, _ in worlds[: len(MENDABLE) + 2]} == {*MENDABLE, CLEAN, FOLLOWING}
    assert [seed for fault, seed in worlds if fault == CLEAN] == [5, 6, 7]
    assert asked_worlds(asked(faults="clean,ar_demand", clean=1)) == [
        ("clean", 5), ("ar_demand", 5), ("ar_demand", 6),
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="no fault nope"):
        asked_worlds(asked(faults="nope"))


def test_worlds_that_the_file_has_are_not_made_again(tmp_path):
    file = tmp_path / "improved.jsonl"
    known = [row("clean", 5), row("clean", 6)]
    text = "\n".join(map(json.dumps, known)) + '\n{"fault": "clean", "se'
    file.write_text(text, encoding="utf-8")
    assert rows_of(file) == known  # not the line that was cut off
    assert list(run_improved(asked(faults="clean", clean=2, out=file))) == []
    assert file.read_text("utf-8") == text + "\n"
    assert rows_of(tmp_path / "none.jsonl") == []


@pytest.mark.slow
def test_a_world_is_made_and_the_file_goes_on(tmp_path):
    file = tmp_path / "improved.jsonl"
    file.write_text('{"fault": "clean", "se', encoding="utf-8")  # killed while it wrote
    (made,) = run_improved(asked(faults="clean", clean=1, out=file))
    assert rows_of(file) == [made]
    assert (made["fault"], made["seed"]) == ("clean", 5)
    assert set(made["before"]["inside"]) == {"TV", "Radio", "Search", "Social"}
    assert made["seconds"] > 1
    if not made["before"]["flags"]:
        assert made["recommended"] == "" and made["before"] == made["after"]
    assert "clean 5: before" in line_of(made)


@each(hits=(1, 7, 19), worlds=(20,))
def test_worlds_of_one_channel_have_the_exact_interval(hits, worlds):
    inside = [[number < hits] for number in range(worlds)]
    share, low, high = clustered_interval(inside)
    exact = binomtest(hits, worlds).proportion_ci(method="exact")
    assert share == hits / worlds
    # n/(n-1) in the variance takes one world off what they are worth.
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.02)


def test_channels_that_hang_together_are_worth_no_more_than_their_worlds():
    together = [[number < 15] * 4 for number in range(20)]
    apart = [[channel != number % 4 for channel in range(4)] for number in range(20)]
    whole, alone = clustered_interval(together), clustered_interval(apart)
    one_each = clustered_interval([of[:1] for of in together])
    assert whole == pytest.approx(one_each)
    assert whole[0] == alone[0] == 0.75
    assert alone[2] - alone[1] < whole[2] - whole[1]


def test_all_inside_is_counted_by_worlds_and_none_is_not_known():
    share, low, high = clustered_interval([[True] * 4] * 10)
    exact = binomtest(10, 10).proportion_ci(method="exact")
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(exact.low)
    assert clustered_interval([[False] * 4] * 10)[1:] == pytest.approx((0.0, 1 - exact.low))
    assert all(map(math.isnan, clustered_interval([])))


def test_the_summary_counts_wrong_worlds_without_a_flag_before_and_after():
    rows = [
        row("ar_demand", 1, before=(False, True), flags=["p_lag1_residuals"], flags_after=[],
            better="model.autocorrelation: true"),
        row("ar_demand", 2, before=(False, True), after=(True, True)),
        row("clean", 1),
    ]  # fmt: skip
    lines = summary_lines(rows)
    (ar,) = [line for line in lines if line.startswith("| ar_demand")]
    cells = [cell.strip() for cell in ar.strip("|").split("|")]
    assert cells[:2] == ["ar_demand", "2"]
    assert cells[2].startswith("50%") and cells[3].startswith("75%")
    assert cells[4].startswith("1 of 2") and cells[5].startswith("1 of 2")
    assert cells[6].startswith("1 of 2")
    names = [line.split("|")[1].strip() for line in lines[2:]]
    assert names == ["ar_demand", "all that have a form", "clean"]


def test_a_world_that_its_gate_refused_counts_in_no_share():
    refused = row("clean", 1) | {"before": {
        "refused": "its gate refused it", "flags": [], "inside": {}, "error": {}, "wrong": [],
    }}  # fmt: skip
    (line,) = [of for of in summary_lines([refused]) if of.startswith("| clean")]
    assert "nan" in line and line.endswith("| 1 |")


def test_no_world_of_an_unknown_fault_is_made():
    with pytest.raises(ValueError, match="unknown fault"):
        improved_world("nope", 1, 2)
