"""The short texts: verdicts, flags and numbers as people read them first."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from helpers import GOOD_VALUES, good_report, make_experiment, small_model
from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.plots.style import human
from mmm_demo.reports.plan_tables import changes
from mmm_demo.reports.plan_text import chance, plan_sentences
from mmm_demo.reports.summary import (
    SCENARIO_HEADER,
    check_lines,
    check_rows,
    doubts_elsewhere,
    evidence_sentence,
    fit_page,
    flag_lines,
    gate_rows,
    gate_sentence,
    headline,
    identification_sentence,
    plan_markdown,
    plan_rows,
    roas_rows,
    roas_table,
    scenario_rows,
    version_tags,
)
from mmm_demo.settings.data import Accepted
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.wording import amount
from mmm_demo.sources.market import MarketingData
from planned import study

EXPERIMENT = make_experiment(description="A small market.")
ROAS = pd.DataFrame(
    {
        "channel": ["TV", "Radio"],
        "median": [2.104, 1234.5],
        "lower_94": [1.8, 0.004],
        "upper_94": [2.3, 5000.0],
    }
)
WEEKS = pd.DataFrame({"Week": pd.date_range("2025-01-06", periods=3, freq="W-MON")})
DATA = MarketingData(WEEKS, "a table")
FLAGGED = (
    Check("media_share", "plausibility", 0.93, "<=", 0.8, "all channels", "look at the trend"),
    Check("pareto_k_max", "plausibility", math.nan, "<=", 1.0, "", "look at that week"),
)
FINE = Check("spend_outlier", "plausibility", 2.0, "<=", 5.0, "TV", "check the spend")


def flagged_report(batteries: tuple[str, ...] = ()) -> GateReport:
    return GateReport((*good_report().checks, FINE, *FLAGGED), batteries)


def test_an_advisory_check_is_a_flag_and_a_required_one_a_failure() -> None:
    rows = {
        name: (value, limit, verdict) for name, value, limit, verdict in gate_rows(flagged_report())
    }
    assert rows["R-hat (worst)"] == ("1.002", "< 1.01", "passed")
    assert rows["largest spend outlier"] == ("2", "<= 5", "passed")
    assert rows["media's share of all sales"] == ("0.93", "<= 0.8", "flag: failed")
    assert rows["most influential week (Pareto k)"] == ("n/a", "<= 1", "flag: not assessable")
    required = {name: verdict for name, *_, verdict in gate_rows(flagged_report(("plausibility",)))}
    assert required["media's share of all sales"] == "FAILED"
    assert required["most influential week (Pareto k)"] == "NOT ASSESSABLE"
    assert required["largest spend outlier"] == "passed"


def test_flags_say_number_limit_place_and_next_step() -> None:
    assert flag_lines(flagged_report()) == [
        "media's share of all sales 0.93, limit <= 0.8 (all channels): look at the trend",
        "most influential week (Pareto k) n/a, limit <= 1: look at that week",
    ]
    assert flag_lines(good_report()) == []
    assert flag_lines(flagged_report(("plausibility",))) == []  # failures, no flags


def test_evidence_rows_say_status_and_place() -> None:
    assert check_rows((FINE, *FLAGGED)) == [
        ("largest spend outlier", "2", "<= 5", "passed", "TV"),
        ("media's share of all sales", "0.93", "<= 0.8", "failed", "all channels"),
        ("most influential week (Pareto k)", "n/a", "<= 1", "not assessable", ""),
    ]


def test_headline_counts_the_flags() -> None:
    first, roas, priors = headline(EXPERIMENT, flagged_report(), ROAS)
    assert first.startswith(
        "Gate passed: 13 checks, 2 flags; adstock up to 8 weeks, R-hat 1.0020, "
    )
    assert "ESS 2,400 bulk and 1,900 tail, 0 divergences" in first
    assert roas == "Incremental ROAS: TV 2.10 (1.80 to 2.30), Radio 1,230 (0.00400 to 5,000)"
    assert all(f"{name} " in priors for name in EXPERIMENT.model.priors)
    assert "10 checks, 0 flags; " in headline(EXPERIMENT, good_report(), None)[0]
    early = GateReport(good_report().checks[:1])  # refused before any sampling
    assert headline(EXPERIMENT, early, None)[0] == (
        "Gate failed: 1 check, 9 not made, 0 flags; adstock up to 8 weeks"
    )


def test_headline_says_the_noise_where_it_is_not_the_usual_one() -> None:
    assert not any("noise" in line for line in headline(EXPERIMENT, good_report(), ROAS))
    tailed = make_experiment(model=small_model(noise="student_t"))
    lines = headline(tailed, good_report(), ROAS)
    assert len(lines) == 4 and lines[2] == "Noise with heavy tails (Student's t)"
    both = make_experiment(model=small_model(autocorrelation=True))
    assert headline(both, good_report(), None)[1] == (
        "Normal noise, of which a part is left in the week after it (AR(1)); coverage, p-values, "
        "residuals and leave-one-out are about each week given the sales before it"
    )


def test_a_verdict_is_one_line_that_counts_what_speaks_against_a_fit() -> None:
    assert gate_sentence(good_report()) == "gate passed: 10 checks, 0 flags"
    assert gate_sentence(flagged_report()) == "gate passed: 13 checks, 2 flags"
    one = GateReport((*good_report().checks, FLAGGED[0]))
    assert gate_sentence(one) == "gate passed: 11 checks, 1 flag"
    required = flagged_report(("plausibility",))
    assert gate_sentence(required) == "gate failed: 13 checks, 2 failed, 0 flags"
    unmeasured = good_report(rhat_max=math.nan)
    assert gate_sentence(unmeasured) == "gate failed: 10 checks, 1 failed, 0 flags"
    looser = replace(good_report().checks[1], limit=1.05)
    loosened = GateReport((looser, *good_report().checks[2:]))
    assert gate_sentence(loosened) == "gate failed: 9 checks, 1 not made, 1 loosened, 0 flags"


def test_evidence_is_one_line_that_counts_by_status() -> None:
    assert evidence_sentence("mmm_demo version 1", (FINE, *FLAGGED, FINE)) == (
        "Evidence about mmm_demo version 1: 4 checks, 2 passed, 1 failed, 1 not assessable"
    )
    assert evidence_sentence("mmm_demo version 1", ()).endswith("version 1: 0 checks")


def test_checks_in_full_say_number_place_and_advice_where_there_is_any() -> None:
    bare = replace(FLAGGED[0], where="", advice="")
    assert check_lines([bare, FLAGGED[1]]) == [
        "media's share of all sales 0.93, limit <= 0.8",
        "most influential week (Pareto k) n/a, limit <= 1: look at that week",
    ]


def test_version_tags_name_the_flags() -> None:
    tags = version_tags(EXPERIMENT, flagged_report(), ROAS)
    assert tags["flags"] == "media_share, pareto_k_max"
    assert tags["roas.TV"] == "2.10 (1.80 to 2.30)"
    assert tags["adstock_max_lag"] == "8"
    assert tags["rhat_max"] == f"{GOOD_VALUES['rhat_max']:.5g}"
    assert version_tags(EXPERIMENT, good_report(), ROAS)["flags"] == "none"


def test_page_of_a_fit_shows_its_flags_beside_its_results() -> None:
    page = fit_page(EXPERIMENT, DATA, flagged_report(), ROAS, ["adstock_alpha[TV]"])
    assert "A small market." in page and "a table, 2025-01-06 to 2025-01-20, 3 weeks" in page
    assert "**Flagged**" in page and "**Refused**" not in page
    for line in flag_lines(flagged_report()):
        assert f"* {line}" in page.splitlines()
    assert "| media's share of all sales | 0.93 | <= 0.8 | flag: failed |" in page
    assert "| TV | 2.10 | 1.80 to 2.30 |" in page
    assert "the posterior is the prior: adstock_alpha[TV]." in page


def test_page_of_a_fit_says_verdict_flags_and_results_before_its_checks() -> None:
    page = fit_page(EXPERIMENT, DATA, flagged_report(), ROAS, ["adstock_alpha[TV]"])
    order = ("**Gate passed: 13", "**Flagged**", "**Incremental ROAS", "| TV | 2.10")
    order += (
        "the posterior is the prior",
        "A small market.",
        "**All checks**",
        "| R-hat (worst)",
        "**Priors**",
    )
    places = [page.index(text) for text in order]
    assert places == sorted(places) and places[0] == 0
    refused = fit_page(EXPERIMENT, DATA, good_report(rhat_max=1.2))
    order = ("**Refused**, no result", "rhat_max 1.2", "**Gate failed: 10 checks, 1 failed")
    places = [refused.index(text) for text in (*order, "A small market.", "**All checks**")]
    assert places == sorted(places) and places[0] == 0


def test_page_of_a_fit_shows_what_was_noticed_about_its_data_and_what_was_accepted() -> None:
    entry = Accepted("TV", "2025-01-06", "2025-01-13", "test phase")
    experiment = replace(EXPERIMENT, data=replace(EXPERIMENT.data, accept=(entry,)))
    noticed = replace(DATA, warnings=("column 'TV': 1 outlier(s)",))
    lines = fit_page(experiment, noticed, good_report(), ROAS).splitlines()
    assert "* warning: column 'TV': 1 outlier(s)" in lines
    assert "* accepted: TV 2025-01-06 to 2025-01-13: test phase" in lines
    quiet = fit_page(EXPERIMENT, DATA, good_report(), ROAS)
    assert "* warning" not in quiet and "* accepted" not in quiet


def test_page_of_a_refused_fit_says_why_and_holds_no_result() -> None:
    page = fit_page(EXPERIMENT, DATA, good_report(rhat_max=1.2))
    assert "**Gate failed" in page
    assert "| R-hat (worst) | 1.2 | < 1.01 | FAILED |" in page
    assert "**Refused**, no result of it may be used:" in page
    assert "rhat_max 1.2 < 1.01 at here: FAILED; do this" in page
    assert "ROAS" not in page and "**Flagged**" not in page


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (99.94, "99.9"), (0.012345, "0.0123"), (-1234.5, "-1,234")]
)
def test_amounts_are_short(value: float, text: str) -> None:
    assert amount(value) == text


def test_identification_names_what_the_data_said_nothing_about() -> None:
    assert identification_sentence([]) == "The data told something about every parameter."
    assert identification_sentence(["a", "b"]).endswith("the posterior is the prior: a, b.")


def test_roas_rows_are_medians_with_their_interval() -> None:
    shifted = ROAS.assign(median=[-0.5, 0.0])
    assert roas_rows(shifted)[0] == ("TV", "-0.500", "1.80 to 2.30")


def test_roas_of_orders_per_unit_of_money_keep_their_digits() -> None:
    """The truths of tests/cases/orders_per_money.yaml, which two decimals made 0.00."""
    orders = pd.DataFrame(
        {"channel": ["tv", "search", "social"], "median": [0.00153, 0.00117, 0.0021]}
    )
    orders = orders.assign(lower_94=orders["median"] / 2, upper_94=orders["median"] * 2)
    experiment = load_experiment("tests/cases/orders_per_money.yaml")
    assert experiment.model.channel_columns == ("tv", "search", "social")
    told = [
        headline(experiment, good_report(), orders)[1],
        fit_page(experiment, DATA, good_report(), orders),
        *version_tags(experiment, good_report(), orders).values(),
    ]
    assert "tv 0.00153 (0.000765 to 0.00306)" in told[0]
    assert "| search | 0.00117 | 0.000585 to 0.00234 |" in told[1]
    assert "0.00210 (0.00105 to 0.00420)" in told
    assert not any("0.00 " in text or "0.00)" in text for text in told)


def test_roas_table_has_the_identification_label_where_it_is_known() -> None:
    table = pd.DataFrame({"channel": ["TV"], "median": [1.0], "lower_94": [0.5], "upper_94": [2.0]})
    assert roas_table(table) == (
        ("channel", "ROAS", "94 % interval"),
        [("TV", "1.00", "0.500 to 2.00")],
    )
    header, rows = roas_table(table.assign(label=["prior-driven"]))
    assert header[-1] == "label"
    assert rows == [("TV", "1.00", "0.500 to 2.00", "prior-driven")]


def test_page_of_a_plan_names_what_it_rests_on_where_it_is_told() -> None:
    plans = study().plans
    page = plan_markdown(plans, "demo version 3", {}, ["", "It rests on demo version 3."])
    assert "* It rests on demo version 3." in page.splitlines()
    assert "It rests on" not in plan_markdown(plans, "demo version 3", {})


def test_scenarios_tell_profit_where_that_is_asked_for() -> None:
    plans = study().plans
    rows = [dict(zip(SCENARIO_HEADER, row, strict=True)) for row in scenario_rows(plans)]
    assert rows[0]["gain"] == f"{human(plans[0].gain.mean())} sales"
    gain = plans[2].profit_gain
    assert gain is not None
    assert rows[2]["gain"] == f"{human(gain.mean())} profit"
    assert rows[2]["sure"] == chance((gain > 0).mean())
    assert rows[0]["money"] == human(study().main.total_budget)


def test_a_channel_without_money_before_and_now_is_unchanged_everywhere() -> None:
    plan = study().main
    table = plan.table.assign(current=[plan.current_budget, 0.0], change=[0.0, math.nan])
    alone = table.assign(
        planned=[plan.total_budget, 0.0], lower_bound=0.0, upper_bound=plan.total_budget
    )
    weekly = plan.weekly.assign(Radio=0.0, TV=plan.total_budget / plan.weeks)
    idle = replace(plan, table=alone, weekly=weekly, smallest=None)
    new = replace(plan, table=table)
    for of, told in ((idle, "unchanged"), (new, "new")):
        assert plan_rows(of, {})[1][3] == told
        assert changes(of, {})["change, % of last period"].tolist()[1] == told
    assert "new" not in plan_markdown([idle], "demo version 3", {})
    assert "(new)" in plan_markdown([new], "demo version 3", {})


def test_scenarios_tell_their_share_of_all_sales_and_what_looks_like_another_unit() -> None:
    plans = study().plans
    rows = [dict(zip(SCENARIO_HEADER, row, strict=True)) for row in scenario_rows(plans)]
    assert rows[0]["of all sales"] == f"{plans[0].gain.mean() / plans[0].window.sales:+.1%}"
    assert rows[2]["of all sales"] == ""  # a profit is no share of sales
    assert doubts_elsewhere(plans) == []
    asked = replace(plans[1].scenario, relative_budget=None, total_budget=5.0)
    odd = [plans[0], replace(plans[1], scenario=asked)]
    (doubt,) = doubts_elsewhere(odd)
    assert doubt.startswith("tv_as_before: Is the unit right? total_budget 5 is for all 8 weeks")
    assert f"* {doubt}" in plan_markdown(odd, "demo version 3", {}).splitlines()
    assert any("Is the unit right? total_budget 5" in text for text in
               plan_sentences(odd[1], {})[:1])  # fmt: skip
