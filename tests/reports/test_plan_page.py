"""The page of plans: every finding is on it, the label of an unrankable plan on top."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_page import EVIL

from bundles import changed
from drawn_model import drawn_model
from mmm_demo.planning.honesty import PAIRS
from mmm_demo.planning.plan import AGAINST, RANKED
from mmm_demo.planning.plan import UNRANKED as NOT_RANKED
from mmm_demo.planning.study import PlanStudy, study_plans
from mmm_demo.plots.style import new_figure
from mmm_demo.reports.plan_page import Ground, basis, plan_figures, plan_page
from mmm_demo.reports.plan_text import UNRANKED, in_short, money, plan_sentences, signed
from mmm_demo.settings.scenario import Scenario
from pages import Page, assert_self_contained
from planned import WIDE, planner, planner_of, s_shaped, study
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

LABELS = {"TV": "data-driven", "Radio": "prior-driven"}
GROUND = Ground(
    model="demo",
    version="3",
    age_days=12,
    span="2021-01-04 to 2023-12-25",
    gate="passed",
    lift_tests=1,
    command="mmm-demo card 3",
    evidence="backtest passed",
    flags=("sensitivity of Radio",),
    label="DT Mart look-alike",
    labels=LABELS,
)
FIGURES = ["change", "gains", "response_curves", "marginal_curves", "frontier", "weekly_spend"]
BLANK = dict.fromkeys(FIGURES, new_figure(1, 1, ""))
HEADINGS = [
    "What to change",
    "In full sentences",
    "Money by channel",
    "Scenarios beside a replay",
    "Can the data rank the channels?",
    "When it comes: carry-in, window, carry-out",
    "What more or less money per channel would bring",
    "What another budget would bring",
    "Week by week",
    "Is there a better plan?",
    "What it rests on",
]


def with_pairs(*pairs: tuple) -> PlanStudy:
    main = replace(study().main, pairs=pd.DataFrame(list(pairs), columns=PAIRS))
    return replace(study(), plans=(main, *study().plans[1:]))


def words(found: PlanStudy, ground: Ground = GROUND) -> list[str]:
    """Return the texts of a page, without the time that its figures take."""
    return [text.replace("\xa0", " ") for text in Page(plan_page(found, ground, BLANK)).texts]


@pytest.fixture(scope="module")
def page() -> str:
    return plan_page(study(), GROUND)


def test_page_is_self_contained_and_has_every_part(page):
    assert_self_contained(page)
    read = Page(page)
    assert [text for text in read.texts if text in HEADINGS] == HEADINGS
    assert list(plan_figures(study())) == FIGURES
    assert len(read.of("img")) == len(FIGURES)
    assert all(image["alt"] for image in read.of("img"))


def test_page_starts_with_the_sentences_and_what_they_rest_on(page):
    read = Page(page).texts
    sentences = plan_sentences(study().main, LABELS)
    assert read[1].startswith("Budget plan ")
    assert read[1].endswith("demo version 3 DT Mart look-alike")
    first = [
        text for pair in in_short(study().main, LABELS, study().moves).items() for text in pair
    ]
    assert read[2 : 2 + len(first) + 2] == [*first, "Who stands behind it", basis(GROUND)]
    full = read.index("In full sentences") + 1
    assert read[full : full + len(sentences) + 1] == [*sentences, basis(GROUND)]
    for part in ("version 3, 12 days old", "2021-01-04", "gate: passed", "1 lift test; "):
        assert part in basis(GROUND)
    assert basis(GROUND).endswith("evidence: backtest passed.")


def test_the_sentence_names_flags_warnings_accepted_weeks_and_a_window_that_is_over():
    told = replace(
        GROUND,
        flagged=("largest spend outlier", "weeks unlike all others"),
        warnings=("column 'tv': 1 week is below 1/50: row 7 = 9.1; another unit?", "no unit"),
        accepted=("tv 2023-01-02 to 2023-10-02: test phase",),
        past="Warning: the whole window lies before today.",
    )
    sentence = basis(told)
    for part in (
        "gate: passed with 2 flags (largest spend outlier, weeks unlike all others); ",
        "data: 2 warnings (column 'tv': 1 week is below 1/50, no unit); ",
        "accepted: tv 2023-01-02 to 2023-10-02: test phase; ",
    ):
        assert part in sentence
    assert sentence.endswith("Warning: the whole window lies before today.")
    read = words(study(), told)
    assert sentence in read
    assert told.warnings[0] + "; no unit" in read
    assert "none known" in words(study())
    one = basis(replace(GROUND, flagged=("divergences",)))
    assert "gate: passed with 1 flag (divergences); 1 lift test" in one


def test_an_unrankable_plan_is_labelled_on_top_and_the_smallest_move_beside_it():
    unsure = words(with_pairs(("TV", "Radio", 0.5, -0.1, 1.0, 0.8, NOT_RANKED)))
    short, label = [text for text in unsure if text.startswith(f"{UNRANKED}: the")] + [
        text for text in unsure if text.startswith(f"{UNRANKED}: this")
    ]
    assert short in unsure[:12] and "from Radio to TV; a lift test would." in short
    assert "The smallest change that keeps 95%" in label
    assert "smallest change" in unsure
    change = study().main.smallest.planned - study().main.table["current"]
    assert set(change.map(signed)) <= set(unsure)
    sure = words(with_pairs(("TV", "Radio", 0.5, 0.1, 1.0, 0.99, RANKED)))
    assert not any(UNRANKED in text for text in sure[:12])
    assert "Yes: the interval of every difference is above zero." in sure
    assert "-0.100 to 1.00" in unsure
    assert (NOT_RANKED in unsure, RANKED in unsure) == (True, False)
    assert (NOT_RANKED in sure, RANKED in sure) == (False, True)
    assert any(text.startswith(f"{UNRANKED}: of 1 pairs, 1 have an interval") for text in unsure)
    for read in (sure, unsure):  # told once, on top where the plan cannot be ranked
        assert sum("The smallest change that keeps" in text for text in read) == 1
    assert "80%" in unsure


def test_a_move_against_the_data_is_counted_apart():
    forced = ("Radio", "TV", -1.0, -2.0, -0.2, 0.01, AGAINST)
    read = words(with_pairs(forced, ("TV", "Radio", 0.5, 0.1, 1.0, 0.99, RANKED)))
    assert AGAINST in read
    assert any(text.startswith("Against the data: in 1 of 2 pairs") for text in read)
    assert any(f"moves {AGAINST}" in text for text in read)
    assert "Yes: the interval of every difference is above zero." not in read
    assert not any(text.startswith(UNRANKED) for text in read[:6])


def test_budgets_that_are_missing_on_the_frontier_are_counted():
    few = study().frontier.head(17)
    few.attrs["missing"] = 3
    told = "3 of 20 budgets are missing: no search for them ended at a certified plan."
    assert told in words(replace(study(), frontier=few))
    assert not any("are missing" in text for text in words(study()))
    none = study().frontier.head(0)
    none.attrs["missing"] = 20
    empty = replace(study(), frontier=none)
    assert any("20 of 20 budgets" in text for text in words(empty))
    plan_figures(empty)["frontier"].canvas.draw()


def test_weeks_that_are_not_known_leave_the_carry_in_unknown():
    table = study().main.table.assign(carry_in=np.nan)
    window = replace(study().main.window, unknown_weeks=2)
    main = replace(study().main, table=table, window=window)
    read = words(replace(study(), plans=(main, *study().plans[1:])))
    assert read.count("n/a") - words(study()).count("n/a") == len(table) + 1
    told = "2 weeks between data and window are not known and count as without spend."
    assert told in read


def test_what_a_scenario_is_described_as_is_shown():
    assert "described as" not in words(study())
    main = study().main
    main = replace(main, scenario=replace(main.scenario, description="TV is booked already"))
    read = words(replace(study(), plans=(main, *study().plans[1:])))
    assert "TV is booked already" in read


def test_every_scenario_stands_beside_the_replay():
    read = words(study())
    assert read.count("last period") >= 3
    for name in ("keep budget", "tv as before", "profit"):
        assert read.count(name) >= 4
    for row in study().scenarios.iloc[1:].to_dict("records"):
        lower, upper = (money(row[f"gain_{side}_94"]) for side in ("lower", "upper"))
        assert f"{lower} to {upper}" in read
        assert signed(row["gain"]) in read
        assert money(row["profit"]) in read
        assert signed(row["profit_gain"]) in read
        lower, upper = (money(row[f"profit_gain_{side}_94"]) for side in ("lower", "upper"))
        assert f"{lower} to {upper}" in read
    for plan in study().plans:
        assert signed(plan.timing) in read
        assert signed(plan.uplift["mean"] - plan.timing) in read
        assert set(plan.table["planned"].map(money)) <= set(read)


def test_flags_carryover_and_weeks_are_told():
    read, table = words(study()), study().main.table
    assert any("prior-driven" in text for text in read)
    for column in ("carry_in", "inside", "after"):
        assert set(table[column].map(money)) <= set(read)
        assert money(table[column].sum()) in read
    for week, row in study().main.weekly.iterrows():
        assert f"{week:%Y-%m-%d}" in read
        assert money(row.sum()) in read
    assert set(study().frontier["budget"].map(money)) <= set(read)
    assert "ROAS that do not rest on the data: Radio (prior-driven)." in read


def test_what_is_unknown_is_said_to_be():
    ground = Ground("demo", "3", 0, "2021 to 2023", "failed", 0, "mmm-demo card 3")
    read = words(study(), ground)
    assert "Whether ROAS rest on data or prior was not measured." in read
    assert "none gathered" in read
    assert any(text.endswith("no lift tests; no evidence gathered.") for text in read)


def test_names_cannot_change_the_page():
    ground = replace(GROUND, model=EVIL, label=EVIL, evidence=EVIL, flags=(EVIL,))
    page = plan_page(study(), ground, BLANK)
    assert_self_contained(page)
    assert sum(EVIL in text for text in Page(page).texts) >= 4


def test_a_single_plan_of_an_s_shaped_model_has_a_page():
    plan = s_shaped().plan(Scenario("only", relative_bounds=WIDE))
    page = plan_page(study_plans(s_shaped(), [plan]), GROUND)
    assert_self_contained(page)
    read = Page(page).texts
    assert any("proves nothing about plans further away" in text for text in read)
    assert "smallest change" not in read
    assert "better by at most" not in read


def test_units_are_told_where_a_channel_is_not_counted_in_money():
    priced = planner_of(drawn_model(), Radio=2.0)
    found = study_plans(priced, [priced.plan(Scenario("channel", relative_bounds=WIDE))])
    read = words(found)
    assert "plan in units" in read
    units = found.main.table["units"]
    assert f"{units.iloc[1]:,.0f}" in read
    assert np.isclose(units.iloc[1] * 2, found.main.table["planned"].iloc[1])
    assert "plan in units" not in words(study())


def test_orders_per_unit_of_money_are_written_with_three_digits():
    """Where sales count orders, ROAS are thousandths: two decimals made every one of them 0.00."""
    table = drawn_model().table.assign(Sales=drawn_model().table["Sales"] / 1500)
    found = planner_of(changed(table=table))
    orders = study_plans(found, [found.plan(Scenario("orders", relative_bounds=WIDE))])
    read, plan = words(orders), orders.main
    assert 0.0002 < plan.table["roas"].min() < plan.table["roas"].max() < 0.01
    for column in ("roas", "mroas"):
        for value in plan.table[column]:
            assert f"{value:.3g}"[:5] in " ".join(read)
    nothing = re.compile(r"(?<![\d.,])-?0\.0+(?![\d%])")
    assert not [text for text in read if nothing.search(text)]
    assert plan.doubts == ()


def test_the_page_opens_with_the_move_curve_and_folds_what_is_for_experts():
    free = planner().plan(Scenario("free", default_bounds="seen"))
    page = plan_page(study_plans(planner(), [free]), GROUND)
    read = Page(page)
    texts = [text.replace("\xa0", " ") for text in read.texts]
    place = texts.index("How far to move")
    assert texts.index("What to change") < place < texts.index("In full sentences")
    assert (
        "of that gain; with no channel changed by more than 5%, 10% and so on" in texts[place + 2]
    )
    for cell in ("the mix as it was", "5%", "50%", "as far as the data have seen", "this plan"):
        assert cell in texts[place:], cell
    assert len(read.of("details")) == len(HEADINGS) - 1
    assert page.index("<details>") > page.index("How far to move")


def test_a_limit_that_allows_no_plan_is_named_below_the_curve():
    tv = float(planner().window.current[0])
    one = planner().plan(Scenario("less", bounds={"TV": (0.0, 0.9 * tv)}, default_bounds="seen"))
    read = Page(plan_page(study_plans(planner(), [one]), GROUND)).texts
    (told,) = [text for text in read if text.startswith("No plan keeps all limits")]
    assert "moves of at most 5%, 10%" in told


def test_what_is_true_is_told_where_that_is_known():
    truth = "This market is simulated, so the truth is known: the plan really brings +1."
    read = words(study(), replace(GROUND, truth=truth))
    assert read[read.index("What is true") + 1] == truth
    assert "What is true" not in words(study())
