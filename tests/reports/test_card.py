"""The evidence card: what was found is on it, and what was not found never looks like a pass."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from helpers import good_report, plain_experiment
from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.evidence.placebo import placebo_row
from mmm_demo.reports.card import (
    CardInput,
    battery_status,
    battery_table,
    figure,
    in_short,
    said,
    version_card,
)
from mmm_demo.settings.experiment_file import from_dict
from mmm_demo.settings.limits import EVIDENCE_BATTERIES
from pages import Page, assert_self_contained
from plot_data import make_forecast, make_recovery, make_sensitivity

RUN = "0123456789abcdef0123456789abcdef"
COMMAND = "mmm-demo evidence 01234567"
CHANNELS = ["TV", "Radio", "Search & Social"]
HEADINGS = [
    "The verdict, check by check",
    "Backtest: forecasts of weeks it had not seen",
    "Recovery: would such data bring a known truth back?",
    "ROAS, and what it rests on",
    "Channels that cannot be told apart",
    "Placebo: a channel that cannot have brought sales",
    "Sensitivity: other modelling choices",
    "Lift tests against the model",
    "Comparison with the champion",
    "Past promises: its plans, and what came",
    "What it rests on",
]


def advisory(value: float = 0.1, name: str = "prior_driven_share", stage: str = "") -> Check:
    return Check(name, stage or "identification", value, "<=", 0.5, "Radio", "test Radio")


def whole_report(**values: float) -> GateReport:
    """Return a report in which every battery of the fit has a check."""
    more = [advisory(), advisory(0.0, "negative_baseline_share", "plausibility")]
    return good_report(**values).with_checks(more)


def make_evidence(**tables: pd.DataFrame) -> Evidence:
    rows = [placebo_row(name, 30, [0.001, 0.002, 0.003], True) for name in CHANNELS]
    known = {
        "backtest": make_forecast(),
        "recovery": make_recovery(),
        "placebo": pd.DataFrame(rows),
        "sensitivity": make_sensitivity(),
    }
    return Evidence(known | tables, RUN, {})


def lead(card: CardInput) -> list[str]:
    """Return what a card says first, sentence by sentence."""
    return [sentence for told in in_short(card).values() for sentence in told]


def make_card(**changes: object) -> CardInput:
    model = {"channel_columns": CHANNELS, "control_columns": ["Trend"]}
    roas = pd.DataFrame(
        {
            "channel": CHANNELS,
            "median": [2.11, 3.22, 1.33],
            "lower_94": [1.8, 1.0, 0.5],
            "upper_94": [2.2, 6.0, 1.5],
        }
    )
    known = pd.DataFrame(
        {
            "channel": CHANNELS,
            "spend_share": [0.5, 0.3, 0.2],
            "contraction": [0.98, 0.41, 0.9],
            "overlap": [0.1, 0.75, 0.2],
            "prior_sensitivity": [0.01, 0.09, 0.02],
            "label": ["data-driven", "prior-driven", "data-driven"],
        }
    )
    card = CardInput(
        model="mmm_demo",
        version="4",
        run_id=RUN,
        label="",
        experiment=from_dict(plain_experiment(model=model), "here"),
        report=whole_report(),
        roas=roas,
        identification=known,
        pairs=pd.DataFrame(columns=["channel_a", "channel_b", "correlation"]),
        source="a simulated market",
        span="2023-01-02 to 2025-12-22, 156 weeks",
        history="Fitted on 2026-01-05.",
        hashes={"data": "ab" * 32, "trace.nc": "cd" * 32},
    )
    return replace(card, **changes)  # type: ignore[arg-type]


def stability(inside: bool = True) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": CHANNELS,
            "champion": [2.0, 3.0, 4.321],
            "lower_94": [1.5, 1.0, 4.0],
            "upper_94": [2.5, 6.0, 5.0],
            "challenger": [2.11, 3.22, 1.33],
            "inside": [True, True, inside],
            "overlap": [0.9, 0.8, 0.123],
        }
    )


def lift_tests() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["TV", "Radio"],
            "date": pd.to_datetime(["2025-03-03", "2025-06-02"]),
            "x": [50_000.0, 20_000.0],
            "delta_x": [10_000.0, 5_000.0],
            "delta_y": [21_000.0, -3_000.0],
            "lower_94": [12_000.0, -12_000.0],
            "upper_94": [30_000.0, 6_000.0],
            "model_mean": [19_000.0, 14_000.0],
            "model_lower_94": [17_000.0, 8_000.0],
            "model_upper_94": [22_000.0, 20_000.0],
            "z": [0.25, -3.4],
            "inside": [True, False],
            "unexpected_sign": [False, True],
        }
    )


def rows_of(page: Page, first: str) -> list[str]:
    """Return every text after the first one that reads like this, up to the next heading."""
    start = page.texts.index(first) + 1
    later = [place for place, text in enumerate(page.texts) if place > start and text in HEADINGS]
    return page.texts[start : min(later, default=len(page.texts))]


@pytest.fixture(scope="module")
def full() -> str:
    differences = pd.DataFrame(
        {
            "part": ["model"],
            "setting": ["model.adstock_max_lag"],
            "champion": ["4"],
            "challenger": ["8"],
        }
    )
    card = make_card(
        evidence=make_evidence(),
        champion="3",
        stability=stability(inside=False),
        differences=differences,
        lift=lift_tests(),
        pairs=pd.DataFrame(
            {"channel_a": ["TV"], "channel_b": ["Radio"], "correlation": [-0.789]},
        ),
    )
    return version_card(card)


def test_page_has_every_section_and_needs_nothing_from_elsewhere(full: str) -> None:
    assert_self_contained(full)
    page = Page(full)
    assert page.texts[0] == "Evidence card: mmm_demo version 4"
    first = "Passed: all 10 required checks hold."
    assert page.texts[2] == "Verdict" and page.texts[3].startswith(first)
    assert len(page.of("details")) == len(HEADINGS)
    assert [text for text in page.texts if text in HEADINGS] == HEADINGS
    images = page.of("img")
    assert len(images) == len({image["src"] for image in images}) == 5
    assert not [text for text in page.texts if COMMAND in text]


def test_what_was_found_is_on_the_page(full: str) -> None:
    page = Page(full)
    assert {"2.11", "75.0%", "prior-driven"} <= set(rows_of(page, HEADINGS[3]))
    assert {"TV", "Radio", "-0.789"} <= set(rows_of(page, HEADINGS[4]))
    assert {"lag of 4 weeks", "3.00"} <= set(rows_of(page, HEADINGS[6]))
    lifts = rows_of(page, HEADINGS[7])
    assert {"2025-06-02", "-3,000 (-12,000 to 6,000)", "14,000 (8,000 to 20,000)"} <= set(lifts)
    champion = rows_of(page, HEADINGS[8])
    assert {"4.32 (4.00 to 5.00)", "12.3%", "no", "model.adstock_max_lag"} <= set(champion)
    ground = rows_of(page, HEADINGS[10])
    assert {"ab" * 32, "cd" * 32, "Beta(alpha=1, beta=3)", "project default"} <= set(ground)
    assert any("156 weeks" in text and RUN in text for text in ground)


def test_every_check_stands_there_with_value_limit_status_and_advice() -> None:
    card = make_card(report=whole_report(rhat_max=1.0123).with_checks([advisory(math.nan, "new")]))
    page = Page(version_card(card))
    texts = rows_of(page, "Every check")
    assert len(page.of("tr")) > len(card.judged.checks)
    place = texts.index("R-hat (worst)")
    assert texts[place + 1 : place + 5] == ["failed", "1.012", "< 1.01", "required"]
    place = texts.index("new")
    assert texts[place + 1 : place + 5] == ["not assessable", "n/a", "≤ 0.5", "advisory"]
    advice = rows_of(page, "Not passed, and what to do")
    assert advice[4:12] == [
        *("R-hat (worst)", "failed", "here", "do this"),
        *("new", "not assessable", "Radio", "test Radio"),
    ]


def test_a_refusal_is_the_first_sentence_and_says_why() -> None:
    first = lead(make_card(report=whole_report(rhat_max=1.0123, divergences=3)))[0]
    assert first.startswith("Refused")
    assert "R-hat (worst): 1.012 (below 1.01 needed; here)" in first
    assert "divergences: 3 (at most 0 needed; here)" in first


def test_a_required_battery_that_was_not_measured_refuses() -> None:
    experiment = from_dict(plain_experiment(gate={"require": ["backtest", "recovery"]}), "here")
    card = make_card(experiment=experiment)
    first = lead(card)[0]
    assert first.startswith("Refused")
    assert "the battery backtest is required and was not measured" in first
    with_backtest = replace(card, evidence=make_evidence())
    assert lead(with_backtest)[0] == "Passed: all 14 required checks hold."


def test_a_required_check_that_is_missing_or_loosened_refuses() -> None:
    report = whole_report()
    fewer = GateReport(tuple(item for item in report.checks if item.name != "rhat_max"))
    assert "R-hat (worst) is required and was not measured" in lead(make_card(report=fewer))[0]
    loose = GateReport(
        tuple(
            replace(item, limit=1.2) if item.name == "rhat_max" else item for item in report.checks
        )
    )
    assert "R-hat (worst) was judged less strictly" in lead(make_card(report=loose))[0]


def test_without_evidence_the_card_names_the_command_instead_of_a_hole() -> None:
    card = make_card()
    page = Page(version_card(card))
    for heading in (HEADINGS[1], HEADINGS[2], HEADINGS[5], HEADINGS[6]):
        assert rows_of(page, heading) == [
            f"Not measured, so nothing is known here. Run: {COMMAND}",
        ]
    said_first = lead(card)
    assert any(text.endswith(f"Run: {COMMAND}") for text in said_first)
    assert "3 of 7 batteries passed" in said_first[2]
    assert "not measured: backtest, recovery, placebo and sensitivity" in said_first[2]
    assert "Nothing is flagged." not in said_first
    results = battery_table(card.judged).set_index("battery")["result"]
    assert (results[[*EVIDENCE_BATTERIES]] == "not measured").all()


@pytest.mark.parametrize(
    ("settings", "said_of_it"),
    [
        ({}, "; normal noise."),
        ({"noise": "student_t"}, "; noise with heavy tails (Student's t)."),
        ({"autocorrelation": True}, "of which a part is left in the week after it (AR(1))."),
    ],
    ids=str,
)
def test_the_ground_says_the_noise_and_what_is_judged_by_it(settings, said_of_it) -> None:
    model = {"channel_columns": CHANNELS, "control_columns": ["Trend"]} | settings
    page = Page(
        version_card(make_card(experiment=from_dict(plain_experiment(model=model), "here")))
    )
    text = " ".join(page.texts)
    assert said_of_it in text
    judged = "residuals and leave-one-out are about each week given the sales before it."
    assert (judged in text) == ("autocorrelation" in settings)


def test_a_battery_that_could_not_run_says_why_and_is_no_pass() -> None:
    evidence = Evidence({}, RUN, {}, {"backtest": "20 weeks are too few"})
    card = make_card(evidence=evidence)
    page = Page(version_card(card))
    assert rows_of(page, HEADINGS[1]) == ["Not assessable: 20 weeks are too few."]
    assert battery_status(card.judged, "backtest") == "not assessable"
    assert any(text.startswith("Not assessable, so not passed either: ") for text in lead(card))


def test_unconverged_refits_are_not_assessable_and_the_page_stands() -> None:
    tables = {
        "backtest": make_forecast().assign(converged=False),
        "recovery": make_recovery().assign(converged=False),
    }
    card = make_card(evidence=make_evidence(**tables))
    page = Page(version_card(card))
    for stage, heading in (("backtest", HEADINGS[1]), ("recovery", HEADINGS[2])):
        assert battery_status(card.judged, stage) == "not assessable"
        verdicts = [text for text in rows_of(page, heading) if text.endswith(", not assessable.")]
        assert len(verdicts) == 2
        assert not [text for text in rows_of(page, heading) if text.endswith(", passed.")]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([], "not measured"),
        ([0.1], "passed"),
        ([0.1, math.nan], "not assessable"),
        ([0.1, math.nan, 0.9], "failed"),
        ([math.inf], "not assessable"),
    ],
)
def test_a_battery_is_as_good_as_its_worst_check(values: list[float], status: str) -> None:
    checks = tuple(advisory(value, f"c{place}") for place, value in enumerate(values))
    assert battery_status(GateReport(checks), "identification") == status


def test_what_is_required_is_said_battery_by_battery() -> None:
    report = GateReport(
        (*whole_report().checks, advisory(0.1, "p_maximum", "posterior_predictive")), ("placebo",)
    )
    needed = battery_table(report).set_index("battery")["needed"]
    assert needed["convergence"] == needed["placebo"] == "required"
    assert needed["posterior predictive"] == "partly required"
    assert needed["identification"] == "advisory"


def test_forms_of_a_channels_own_are_said_in_words() -> None:
    media = {
        "TV": {"adstock": "delayed", "max_lag": 12},
        "Radio": {"saturation": "s_shaped", "priors": {"saturation_lam": {
            "distribution": "Gamma", "alpha": 9.0, "beta": 3.0, "rationale": "known"}}},
    }  # fmt: skip
    model = {"channel_columns": CHANNELS, "control_columns": ["Trend"]}
    plain = from_dict(plain_experiment(model=model), "here")
    own = from_dict(plain_experiment(model=model | {"media": media}), "here")
    nothing = from_dict(plain_experiment(model=model | {"adstock": "none"}), "here")
    assert "has of its own" not in version_card(make_card(experiment=plain))
    text = version_card(make_card(experiment=own))
    assert "TV has of its own: delayed adstock, carryover of up to 12 weeks." in text
    assert "Radio has of its own: s-shaped saturation, priors of saturation_lam." in text
    assert "No carryover (none adstock)" in version_card(make_card(experiment=nothing))


def test_flags_are_said_with_their_numbers() -> None:
    card = make_card(report=good_report().with_checks([advisory(0.6)]))
    sentences = lead(card)
    assert sentences[0].startswith("Passed")
    wanted = "share of spend in prior-driven channels: 0.6 (at most 0.5 needed; Radio)"
    assert f"Flagged, though it refuses nothing: {wanted}." in sentences
    assert "Nothing is flagged." in lead(make_card(evidence=make_evidence()))


def test_identification_is_said_in_words() -> None:
    sentences = lead(make_card())
    assert "Radio is prior-driven: its ROAS is largely what the prior said." in sentences
    known = make_card().identification
    both = make_card(identification=known.assign(label="prior-driven"))
    assert any(text.startswith("TV, Radio and Search & Social are prior") for text in lead(both))
    none = lead(make_card(identification=known.assign(label="data-driven")))
    assert any(text.startswith("The ROAS of every channel is data-driven") for text in none)
    # A channel that nobody labelled is not data-driven.
    unknown = lead(make_card(identification=known.iloc[[0]]))
    assert any("of Radio and Search & Social is not known" in text for text in unknown)
    assert not any("every channel is data-driven" in text for text in unknown)


def test_pairs_tests_and_moves_are_said_in_words() -> None:
    pairs = pd.DataFrame({"channel_a": ["TV"], "channel_b": ["Radio"], "correlation": [-0.9]})
    card = make_card(
        pairs=pairs, lift=lift_tests(), champion="3", stability=stability(inside=False)
    )
    sentences = lead(card)
    assert "It is not the market's champion; that is version 3." in sentences
    assert "TV and Radio cannot be told apart: read their ROAS as a sum only." in sentences
    assert "1 of 2 lift tests agree with the model; of unexpected sign: a test of Radio." in (
        sentences
    )
    assert "ROAS outside the champion's 94 % interval: Search & Social." in sentences
    kept = lead(make_card(champion="3", stability=stability()))
    assert any("every channel lies inside the champion's" in text for text in kept)


@pytest.mark.parametrize(
    ("champion", "standing"),
    [
        (None, "The market has no champion yet, so there is nothing to beat."),
        ("4", "This version is the champion."),
    ],
)
def test_without_another_champion_nothing_is_compared(champion: str | None, standing: str) -> None:
    page = Page(version_card(make_card(champion=champion)))
    assert rows_of(page, HEADINGS[8]) == [standing]


def test_a_comparison_that_was_not_made_is_not_said_to_be_the_same() -> None:
    (text,) = rows_of(Page(version_card(make_card(champion="3"))), HEADINGS[8])
    assert "not compared" in text and "What differs was not measured" in text
    same = make_card(champion="3", stability=stability(), differences=pd.DataFrame())
    assert "Nothing differs" in rows_of(Page(version_card(same)), HEADINGS[8])[0]


def promises() -> pd.DataFrame:
    plans = {
        "plan": ["0a1b2c3d", "4e5f6a7b", "all"],
        "scenario": ["base", "bold", None],
        "start": ["2026-04-06", "2026-01-05", None],
        "promise": ["not followed", "held", "1 held, 1 not followed"],
        "deviation": [0.253, 0.012, math.nan],
        "plans": [1, 1, 2],
        "weeks_planned": [13, 13, 26],
        "weeks": [4, 13, 17],
        "inside_50": [1, 7, 8],
        "inside_94": [3, 12, 15],
        "total_inside": [0, 1, 1],
    }
    return pd.DataFrame(plans)


def test_past_promises_are_counted_plan_by_plan_and_together() -> None:
    texts = rows_of(Page(version_card(make_card(promises=promises()))), HEADINGS[9])
    first = texts.index("0a1b2c3d base")
    assert texts[first : first + 8] == [
        *("0a1b2c3d base", "2026-04-06", "not followed", "4 of 13", "25%"),
        *("1 of 4 (25%)", "3 of 4 (75%)", "0 of 1"),
    ]
    last = texts.index("all")
    assert texts[last : last + 6] == [
        *("all", "1 held, 1 not followed", "17 of 26"),
        *("8 of 17 (47%)", "15 of 17 (88%)", "1 of 2"),
    ]


@pytest.mark.parametrize("none", [None, pd.DataFrame()])
def test_without_a_tracked_plan_the_card_names_the_command(none: pd.DataFrame | None) -> None:
    (text,) = rows_of(Page(version_card(make_card(promises=none))), HEADINGS[9])
    assert text.startswith("No plan of this version was tracked yet.")
    assert text.endswith("mmm-demo track --plan RUN --actuals FILE")


def test_promises_that_are_not_known_are_never_shown_as_kept() -> None:
    unknown = promises().astype({"inside_94": float, "total_inside": float, "weeks": float})
    unknown.loc[0, ["inside_94", "total_inside", "deviation"]] = math.nan
    unknown.loc[1, "inside_94"] = 14.0  # of 13 weeks
    texts = rows_of(Page(version_card(make_card(promises=unknown))), HEADINGS[9])
    first, second = texts.index("0a1b2c3d base"), texts.index("4e5f6a7b bold")
    assert texts[first + 4 : first + 8] == ["n/a", "1 of 4 (25%)", "n/a", "n/a"]
    assert texts[second + 6] == "n/a"


def test_lift_tests_that_were_not_compared_are_named() -> None:
    data = {"source": "csv", "path": "data/w.csv", "lift_tests": "data/tests.csv"}
    card = make_card(experiment=from_dict(plain_experiment(data=data), "here"))
    (text,) = rows_of(Page(version_card(card)), HEADINGS[7])
    assert text == "The tests of data/tests.csv were not held against the model."


def test_markup_in_names_is_shown_as_text() -> None:
    evil = "<script>alert(1)</script>"
    known = make_card()
    table = known.identification.replace("TV", evil)
    text = version_card(
        replace(
            known,
            label=evil,
            history=evil,
            roas=known.roas.replace("TV", evil),
            identification=table,
            evidence=make_evidence(
                recovery=make_recovery().replace("TV", evil),
                placebo=make_evidence().tables["placebo"].replace("TV", evil),
                sensitivity=make_evidence().tables["sensitivity"].replace("TV", evil),
            ),
        )
    )
    assert_self_contained(text)
    assert evil not in text
    assert f"Evidence card: mmm_demo version 4 {evil}" in Page(text).texts


def test_evidence_about_another_fit_makes_no_card() -> None:
    with pytest.raises(
        ValueError, match=r"evidence is about run other.*run: mmm-demo evidence 012"
    ):
        make_card(evidence=Evidence({}, "other", {}))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0123, "1.012"), (-0.0, "0"), (2400.0, "2,400"), (1e-12, "1e-12"), (math.nan, "n/a")],
)
def test_values_can_be_held_against_their_limits(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_check_without_a_value_is_said_to_be_unassessed() -> None:
    assert said(advisory(math.nan)) == (
        "share of spend in prior-driven channels could not be assessed (at most 0.5 needed; Radio)"
    )


def test_accepted_weeks_lead_and_what_was_noticed_about_the_data_is_told() -> None:
    entry = {"column": "TV", "from": "2023-01-02", "until": "2023-02-06", "reason": "test phase"}
    model = {"channel_columns": CHANNELS, "control_columns": ["Trend"]}
    experiment = from_dict(plain_experiment(model=model, data={"accept": [entry]}), "here")
    card = make_card(experiment=experiment, warnings=["column 'TV': 1 outlier(s)"])
    told = "Unlike the other weeks, and accepted: TV 2023-01-02 to 2023-02-06: test phase."
    assert told in lead(card)
    texts = Page(version_card(card)).texts
    assert any(told in text for text in texts[:8])
    assert "Noticed when the data were read: column 'TV': 1 outlier(s)." in texts
    assert not any("accepted" in text for text in lead(make_card()))
    assert not any("Noticed" in text for text in Page(version_card(make_card())).texts)
