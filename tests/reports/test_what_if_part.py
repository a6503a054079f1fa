"""The part of a plan's page that answers in the browser: held to Python, in a browser."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import browser
from each import each
from mmm_demo.forms.registry import FORMS
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.plan import spread
from mmm_demo.planning.what_if import WhatIf, what_if
from mmm_demo.reports.page import Live, Section, render_page
from mmm_demo.reports.plan_text import chance
from mmm_demo.reports.what_if_part import quoted, what_if_data, what_if_section
from mmm_demo.settings.scenario import Scenario, load_request
from mmm_demo.settings.wording import money, roas, share, signed
from own_forms import CHANNELS, MEDIA, as_fitted, own_model
from pages import Page, assert_self_contained
from planned import planner_of, study

EVIL = "</script><img src=x onerror=\"document.title='run'\"> & <!--<script>\u2028\u2029'\\: #"
DRAWS = 900
in_a_browser = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it"
)


@cache
def planner(form: str) -> Planner:
    """Return a planner of a model with this form of saturation, or with forms by channel."""
    model = own_model(MEDIA) if form == "mixed" else own_model({}, saturation=form)
    return planner_of(as_fitted(model, DRAWS), Radio=2.0)


@cache
def asked(form: str) -> WhatIf:
    """Return two plans with their surroundings: pinned ones, which no search has to find."""
    last = planner(form).window.current
    pinned = {name: (x, x) for name, x in zip(CHANNELS, last * (0.8, 1.1, 1.2), strict=True)}
    first = Scenario("first", total_budget=float(last @ (0.8, 1.1, 1.2)), bounds=pinned)
    second = Scenario("second", objective="profit", margin=0.5, fixed=CHANNELS[:1],
                      bounds=dict(list(pinned.items())[1:]), profile="historical")  # fmt: skip
    found = what_if(planner(form), [planner(form).plan(one) for one in (first, second)])
    assert found is not None
    return found


def html(found: WhatIf, market: str = "demo") -> str:
    return render_page("Plan", [], [what_if_section(found, market), Section("Below", ["Text."])])


@contextmanager
def shown(text: str, folder: Path) -> Iterator[browser.Page]:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    with browser.opened("about:blank", folder / "profile") as page:
        page.call("Page.navigate", url=file.as_uri())
        page.wait_for("Below")
        yield page


def put(page: browser.Page, label: str, value: float | str, event: str = "change") -> None:
    """Give a field a value, as a hand would, but at once."""
    page.ask(
        f"(() => {{ const field = [...document.querySelectorAll('input')].find("
        f"one => one.getAttribute('aria-label') === {json.dumps(label)});"
        f"field.value = {json.dumps(value)};"
        f"field.dispatchEvent(new Event({json.dumps(event)})); }})()"
    )


def press(page: browser.Page, name: str) -> None:
    """Press a button or tick a box by its label."""
    found = page.ask(
        "(() => { const found = [...document.querySelectorAll('button, input')].find(one =>"
        f" (one.getAttribute('aria-label') || one.textContent) === {json.dumps(name)});"
        " if (!found || found.disabled) return false; found.click(); return true; })()"
    )
    assert found, f"nothing to press: {name}"


def choose(page: browser.Page, text: str) -> None:
    """Choose an option by its text."""
    assert page.ask(
        "(() => { for (const one of document.querySelectorAll('option'))"
        f" if (one.textContent === {json.dumps(text)}) {{ one.parentNode.value = one.value;"
        " one.parentNode.dispatchEvent(new Event('change')); return true; } return false; })()"
    ), f"no option {text}"


READ = """(() => {
  const part = document.getElementById('what_if');
  const of = {};
  for (const one of part.querySelectorAll('dl div')) {
    const value = one.querySelector('data');
    of[one.querySelector('dt').textContent] = one.hidden ? null
      : {value: Number(value.value), text: value.textContent,
         more: one.querySelector('.more').textContent};
  }
  const rows = [...part.querySelectorAll('fieldset')].slice(1);
  of.channels = Object.fromEntries(rows.map(row => [row.querySelector('legend').textContent, {
    sales: Number(row.querySelector('p data').value), told: row.querySelector('p').textContent,
    money: Number(row.querySelector('input[type=number]').value),
    left: row.classList.contains('left'),
  }]));
  of.file = part.querySelector('textarea').value;
  of.note = part.querySelector('.note').textContent;
  of.outside = part.querySelector('.outside').textContent;
  return of;
})()"""
MEDIA_SALES, GAIN, PROFIT = (
    "Sales by media",
    "Gain over the last period",
    "Profit over the last period",
)
KEEP = "Keep the total: when one channel moves, the others make up for it in proportion"
BESIDE = "Sales compared with the plan"


def read(page: browser.Page) -> dict[str, Any]:
    return page.ask(READ)


# --- what is in the page ------------------------------------------------------------------------


def test_without_a_script_the_part_is_hidden_and_the_page_as_it_is():
    text = html(asked("logistic"))
    assert_self_contained(text)
    (part,) = [one for one in Page(text).of("section") if one]
    assert part == {"id": "what_if", "class": "live", "hidden": ""}
    without = render_page("Plan", [], [Section("Below", ["Text."])])
    assert "script" not in without and ".live" not in without
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'\">" in without


def test_the_script_can_stand_in_a_page_and_names_every_form():
    script = Path("src/mmm_demo/reports/templates/what_if.js")
    text = (Path(__file__).parents[2] / script).read_text("utf-8")
    for word in ("</script", "<!--", "innerHTML", "eval(", "Function(", "http:", "fetch", "style="):
        assert word not in text.replace("http://www.w3.org/2000/svg", "")
    for form in FORMS["saturation"]:
        assert re.search(rf"^    {form}: \(x", text, re.M)


def test_data_cannot_end_their_element():
    data = {"name": EVIL, "values": [1.5, None]}
    text = render_page("x", [], [Section("s", live=Live("what_if", data))])
    island = re.search(r'<script type="application/json" id="what_if-data">(.*?)</script>', text)
    assert island and json.loads(island[1]) == data
    assert not set("<>&\u2028\u2029") & set(island[1])
    assert_self_contained(text)
    with pytest.raises(ValueError, match="Out of range"):
        render_page("x", [], [Section("s", live=Live("what_if", {"not known": np.nan}))])


def test_the_page_is_held_to_the_hash_of_its_script():
    text = html(asked("logistic"))
    with pytest.raises(AssertionError):
        assert_self_contained(text.replace('"use strict";', '"use strict"; '))
    with pytest.raises(AssertionError):
        assert_self_contained(text.replace("</main>", "<script>1</script></main>"))
    with pytest.raises(AssertionError):
        assert_self_contained(
            text.replace("script-src 'sha256", "script-src 'unsafe-inline' 'sha256")
        )


def test_names_are_quoted_for_plan_files():
    import yaml

    for name in (
        EVIL,
        'TV: spend (€) / 100 % "prime"',
        "a\x85b\x7f",
        "emoji \U0001f600",
        "\ufeff",
        "no",
    ):
        assert yaml.safe_load(f"{quoted(name)}: 1") == {name: 1}


def test_numbers_that_are_not_known_are_refused():
    found = asked("logistic")
    broken = what_if_data(found, "demo")
    assert broken["forms"] == ["logistic"] * 3
    found = WhatIf(found.media, found.starts, found.most, found.kept_out * np.nan, found.draws)
    with pytest.raises(ValueError, match="Out of range"):
        what_if_data(found, "demo")


# --- in a browser -------------------------------------------------------------------------------


@pytest.mark.slow
@in_a_browser
@each(form=[*FORMS["saturation"], "mixed"])
def test_fifty_settings_are_answered_as_by_python(form: str, tmp_path: Path) -> None:
    found, rng = asked(form), np.random.default_rng(5)
    replay = found.replay.sum(axis=0)
    whole = found.starts[0].plan.response.mean()
    current = found.window.current
    with shown(html(found), tmp_path) as page:
        press(page, KEEP)
        for number in range(50):
            place = number % 2
            if number < 2 or number == 10:
                choose(page, f"plan {found.starts[place].plan.scenario.name}")
            kept = [name for name in CHANNELS if rng.random() < 0.15]
            spend = rng.uniform(0, 1, 3) ** 2 * found.most * (rng.random(3) > 0.1)
            choose(page, f"plan {found.starts[place].plan.scenario.name}")
            if page.ask("document.querySelector('.wide input').checked"):
                press(page, KEEP)
            for name, value in zip(CHANNELS, spend, strict=True):
                put(page, f"Money of {name}", float(value))
            for name in kept:
                press(page, f"Keep as last period: {name}")
            answer = read(page)
            wanted = found.sales(spend, kept, place)
            for name, sales in zip(CHANNELS, wanted.mean(axis=1), strict=True):
                assert abs(answer["channels"][name]["sales"] - sales) < 0.002 * whole
                assert answer["channels"][name]["sales"] == pytest.approx(sales, rel=1e-5, abs=1)
            gain = spread(wanted.sum(axis=0) - replay)
            assert answer[MEDIA_SALES]["value"] == pytest.approx(
                wanted.sum(axis=0).mean(), rel=1e-5
            )
            assert answer[GAIN]["value"] == pytest.approx(gain["mean"], abs=1e-5 * whole)
            ends = f"{signed(gain['lower_94'])} to {signed(gain['upper_94'])}"
            if len(kept) < 3:
                assert (
                    answer[GAIN]["more"]
                    == f"(94%: {ends}), {chance(gain['probability'])} likely to sell more"
                )
            money_set = np.where([name in kept for name in CHANNELS], current, spend)
            total = money_set.sum()
            assert answer["ROAS"]["value"] == pytest.approx(
                wanted.sum(axis=0).mean() / total, rel=1e-5
            )
            profit = 0.5 * gain["mean"] - (total - current.sum())
            assert answer[PROFIT]["value"] == pytest.approx(profit, abs=1e-5 * whole)
            _assert_same_seen(found, answer, money_set, kept, place)


def _assert_same_seen(found, answer, spend, kept, place) -> None:
    window, profile = found.window, found.starts[place].profile
    repeats = np.array([name in kept for name in CHANNELS])
    weekly = np.where(repeats, found.last_profile, profile) * spend
    low, high = window.observed
    slack = 1e-6 * spend.sum()
    left = (spend < low - slack) | (spend > high + slack) | window.leaves_the_seen(weekly)
    told = [answer["channels"][name]["left"] for name in CHANNELS]
    assert told == left.tolist()
    assert all(
        (name in answer["outside"]) == gone for name, gone in zip(CHANNELS, told, strict=True)
    )


@pytest.mark.slow
@in_a_browser
def test_at_the_plan_it_shows_the_plans_own_figures(tmp_path):
    found = asked("logistic")
    with shown(html(found), tmp_path) as page:
        for start in (found.starts[1], found.starts[0]):
            choose(page, f"plan {start.plan.scenario.name}")
            answer, plan = read(page), start.plan
            own = plan.uplift
            assert answer[GAIN]["value"] == own["mean"]
            assert answer[GAIN]["text"] == signed(own["mean"])
            ends = f"(94%: {signed(own['lower_94'])} to {signed(own['upper_94'])})"
            assert (
                answer[GAIN]["more"] == f"{ends}, {chance(own['probability'])} likely to sell more"
            )
            assert answer[MEDIA_SALES]["text"] == money(plan.response.mean())
            assert answer["ROAS"]["text"] == roas(plan.response.mean() / plan.total_budget)
            assert answer["Money"]["value"] == pytest.approx(plan.total_budget)
            assert answer[BESIDE]["more"] == "this is the plan" and answer[BESIDE]["value"] == 0
            for row in plan.table.to_dict("records"):
                told = answer["channels"][row["channel"]]
                assert told["sales"] == row["inside"] + row["after"]
                assert told["left"] == row["outside_observed"]
        put(page, "Money of TV", float(found.most[0]))
        assert read(page)[BESIDE]["more"] != "this is the plan"
        press(page, "Reset to the plan")
        assert read(page)[GAIN]["value"] == found.starts[0].plan.uplift["mean"]


@pytest.mark.slow
@in_a_browser
def test_one_click_says_what_keeping_a_channel_costs(tmp_path):
    found = asked("logistic")
    plan, current = found.starts[0].plan, found.window.current
    planned = plan.table["planned"].to_numpy()
    with shown(html(found), tmp_path) as page:
        page.ask("document.querySelector('fieldset button').scrollIntoView({block: 'center'})")
        press(page, "Keep as last period: TV")
        answer = read(page)
        factor = (planned.sum() - current[0]) / planned[1:].sum()
        spend = np.append(current[:1], planned[1:] * factor)
        cost = found.sales(spend, ("TV",)).sum(axis=0).mean() - plan.response.mean()
        assert answer[BESIDE]["value"] == pytest.approx(cost, abs=1e-4 * plan.response.mean())
        assert answer[BESIDE]["more"].endswith("with the same money")
        assert answer["Money"]["value"] == pytest.approx(planned.sum())
        press(page, "All as last period")
        answer = read(page)
        assert answer[GAIN]["value"] == 0 and answer[GAIN]["more"] == "this is the last period"
        assert answer["Money"]["more"] == "(as much as in the last period)"
        press(page, "Keep as last period: TV")  # once more: back to the plan
        assert read(page)["channels"]["TV"]["money"] == round(planned[0])


@pytest.mark.slow
@in_a_browser
def test_total_locks_and_bounds_hold_what_they_should(tmp_path):
    found = asked("logistic")
    planned = found.starts[0].plan.table["planned"].to_numpy()
    current, seen = found.window.current, found.window.seen
    amounts = lambda page: np.array([row["money"] for row in read(page)["channels"].values()])  # noqa: E731
    with shown(html(found), tmp_path) as page:
        put(page, "Money of all channels", float(planned.sum() / 2))
        assert amounts(page) == pytest.approx(planned / 2, abs=1)
        put(page, "Money of all channels, slider", 0.0, "input")  # and back, in one move
        assert amounts(page) == pytest.approx(np.zeros(3), abs=1)
        put(page, "Money of all channels", float(planned.sum()))
        assert amounts(page) == pytest.approx(planned, abs=1)
        press(page, "Lock Radio")
        assert page.ask("document.querySelectorAll('fieldset input[type=range]')[2].disabled")
        put(page, "Money of TV", float(planned[0] / 2))
        rest = planned[2] + planned[0] / 2
        assert amounts(page) == pytest.approx([planned[0] / 2, planned[1], rest], abs=1)
        put(page, "Money of all channels", 1.0)
        assert amounts(page) == pytest.approx([0, planned[1], 0], abs=1)
        assert "above what was asked" in read(page)["note"]
        press(page, "Reset to the plan")
        assert not read(page)["note"]
        choose(page, "last period, give or take 10%")
        held = np.clip(planned, 0.9 * current, 1.1 * current)
        assert (amounts(page) >= 0.9 * current - 1).all()
        assert (amounts(page) <= 1.1 * current + 1).all()
        assert amounts(page)[0] == pytest.approx(held[0], rel=0.2)
        put(page, "Money of TV", float(found.most[0]))
        assert amounts(page)[0] == pytest.approx(1.1 * current[0], abs=1)
        assert "held at its bound" in read(page)["note"]
        choose(page, "those of the plan")  # they are pinned
        assert amounts(page) == pytest.approx(planned, abs=1)
        choose(page, "where the data have seen it")
        put(page, "Money of TV", 0.0)
        assert amounts(page)[0] == pytest.approx(seen[0][0], abs=1)
        before = read(page)
        put(page, "Money of Search", "")  # nothing that is a number
        assert read(page) == before


@pytest.mark.slow
@in_a_browser
@each(form=["logistic", "mixed"])
def test_the_plan_file_is_planned_with_the_same_money_and_sales(form: str, tmp_path: Path) -> None:
    found = asked(form)
    most, file = found.most, tmp_path / "asked.yaml"
    with shown(html(found), tmp_path) as page:
        for name, kept in (("first", ()), ("second", ("Radio",)), ("first", CHANNELS)):
            choose(page, f"plan {name}")
            if page.ask("document.querySelector('.wide input').checked"):
                press(page, KEEP)
            put(page, "Money of TV", float(most[0] / 7))
            for channel in kept:
                press(page, f"Keep as last period: {channel}")
            answer = read(page)
            file.write_text(answer["file"], encoding="utf-8")
            request = load_request(file)
            assert (request.market, request.weeks) == ("demo", found.window.weeks)
            assert request.start == f"{found.window.start:%Y-%m-%d}"
            assert request.cost_per_unit == {"Radio": 2.0}
            (scenario,) = request.scenarios
            plan = planner(form).plan(scenario)
            place = ["first", "second"].index(name)
            spend = found.starts[place].plan.table["planned"].to_numpy().copy()
            spend[0] = most[0] / 7
            repeats = [channel in kept for channel in CHANNELS]
            spend = np.where(repeats, found.window.current, spend)
            assert plan.table["planned"].to_numpy() == pytest.approx(spend, rel=1e-9)
            assert plan.response.mean() == pytest.approx(answer[MEDIA_SALES]["value"], rel=0.002)
            assert plan.uplift["mean"] == pytest.approx(
                answer[GAIN]["value"], abs=0.002 * plan.response.mean()
            )


@pytest.mark.slow
@in_a_browser
def test_a_plan_optimised_week_by_week_and_no_market_have_their_files(tmp_path):
    last = planner("logistic").window.current
    scenario = Scenario(
        "weeks", profile="optimised", smoothness=0.5, relative_bounds={"*": (0.8, 1.2)}
    )
    plan = planner("logistic").plan(scenario)
    found, file = what_if(planner("logistic"), [plan]), tmp_path / "weeks.yaml"
    with shown(html(found), tmp_path) as page:
        assert "Start from" not in page.text()  # nothing to choose from
        file.write_text(read(page)["file"], encoding="utf-8")
        again = planner("logistic").plan(load_request(file).scenarios[0])
        assert again.weekly.to_numpy() == pytest.approx(
            plan.weekly.to_numpy(), abs=1e-4 * last.max()
        )
        press(page, KEEP)
        for channel in CHANNELS:
            put(page, f"Money of {channel}", 0.0)
        assert read(page)["file"].startswith("# No money")
    (tmp_path / "none").mkdir()
    with shown(html(found, ""), tmp_path / "none") as page:
        assert read(page)["file"].startswith("# The market is not known")


@pytest.mark.slow
@in_a_browser
def test_only_the_pages_own_script_runs(tmp_path):
    text = html(asked("logistic"))
    other = "<script>document.title = 'run'</script></main>"
    for number, (page_text, works) in enumerate(
        [
            (text, True),
            (text.replace("</main>", other), True),
            (text.replace('"use strict";', '"use strict" ;'), False),
            (text.replace("<main>", "<main onclick=\"document.title='run'\">"), True),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with shown(page_text, folder) as page:
            page.ask("document.querySelector('main').click()")
            assert page.ask("document.getElementById('what_if').hidden") is not works
            assert page.ask("document.title") == "Plan"
            assert ("What if?" in page.text()) is works
    allowed = text.replace("script-src", "script-src 'unsafe-inline' 'unsafe-hashes'")
    loose = re.sub(r" 'sha256-[^']+'", "", allowed).replace("</main>", other)
    (tmp_path / "loose").mkdir()
    with shown(loose, tmp_path / "loose") as page:  # the policy is what kept it from running
        assert page.ask("document.title") == "run"


@pytest.mark.slow
@in_a_browser
def test_it_works_in_a_sandbox_that_allows_nothing_but_scripts(tmp_path):
    """As MLflow's UI shows artifacts: of no origin, without downloads, clipboard or storage."""
    text = html(asked("logistic")).encode("utf-8")

    class Sandboxed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", "sandbox allow-scripts")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Sandboxed) as server,
        browser.opened("about:blank", tmp_path / "profile") as page,
    ):
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            page.call("Page.navigate", url=f"http://127.0.0.1:{server.server_port}/")
            page.wait_for("What if?")
            assert page.ask("origin") == "null"
            press(page, "Keep as last period: TV")
            assert read(page)[BESIDE]["value"] != 0
        finally:
            server.shutdown()


@pytest.mark.slow
@in_a_browser
def test_names_of_channels_stay_text(tmp_path):
    found = asked("logistic")
    data = what_if_data(found, "demo") | {"channels": [EVIL, "Radio", "constructor"]}
    section = Section("What if?", ["x"], live=Live("what_if", data, "y"))
    text = render_page("Plan", [], [section, Section("Below")])
    assert_self_contained(text)
    with shown(text, tmp_path) as page:
        put(page, f"Money of {EVIL}", float(found.most[0]))
        answer = read(page)
        assert list(answer["channels"]) == [EVIL, "Radio", "constructor"]
        assert page.ask("document.title") == "Plan"
        assert not page.ask("document.querySelectorAll('#what_if img').length")
        file = tmp_path / "plan.yaml"
        file.write_text(answer["file"], encoding="utf-8")
        assert next(iter(load_request(file).scenarios[0].bounds)) == EVIL


@pytest.mark.slow
@in_a_browser
def test_a_keyboard_and_a_reader_of_screens_are_enough(tmp_path):
    found = asked("logistic")
    with shown(html(found), tmp_path) as page:
        unnamed = page.ask(
            "[...document.querySelectorAll('#what_if input, #what_if select, #what_if textarea,"
            " #what_if button')].filter(one => !one.labels?.length && !one.textContent"
            " && !one.getAttribute('aria-label')).length"
        )
        assert unnamed == 0
        page.ask("document.querySelector('fieldset:nth-of-type(2) input[type=range]').focus()")
        before = read(page)["channels"]["TV"]["money"]
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight",
                      windowsVirtualKeyCode=39)  # fmt: skip
        after = read(page)["channels"]["TV"]["money"]
        assert before < after < before + found.most[0] / 50
        told = page.ask("document.activeElement.getAttribute('aria-valuetext')")
        assert told == money(after)
        tree = page.call("Accessibility.getFullAXTree")["nodes"]
        sliders = [one for one in tree if one.get("role", {}).get("value") == "slider"]
        names = [one["name"]["value"] for one in sliders]
        assert names == [f"Money of {of}, slider" for of in ("all channels", *CHANNELS)]
        assert page.ask("document.querySelector('[role=status]').getAttribute('aria-live')")
        page.call("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 1000))",
                  awaitPromise=True)  # fmt: skip
        spoken = page.ask("document.querySelector('[role=status]').textContent")
        assert spoken.startswith(f"{GAIN} {read(page)[GAIN]['text']}")


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_as_wide_as_the_screen_and_not_printed(width, tmp_path):
    with shown(html(asked("mixed")), tmp_path) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        assert page.ask("document.documentElement.scrollWidth") <= width
        assert "What if?" in page.text()
        page.call("Emulation.setEmulatedMedia", media="print")
        assert "What if?" not in page.text() and "Below" in page.text()


NUMBERS = [0, -0.0, 0.25, 2.125, 0.125, 1, 999.4, 999.6, 1000, 1125, 132500, 133500, 2.9e6, -684321]
NUMBERS += [1e-7, 0.00123456, 123456789, 9.996e8, 1.2e12, -0.5, 12.345, 99.95, 1230.4]


@pytest.mark.slow
@in_a_browser
def test_numbers_are_written_as_on_the_rest_of_the_page(tmp_path):
    script = Path(__file__).parents[2] / "src/mmm_demo/reports/templates/what_if.js"
    source = script.read_text("utf-8")
    start, end = (
        source.index("  // Python rounds an exact half"),
        source.index("  // --- what is set"),
    )
    rng = np.random.default_rng(0)
    random = (rng.choice([-1, 1], 400) * 10 ** rng.uniform(-5, 13, 400)).tolist()
    shares = [*rng.random(100).tolist(), 0.125, 0.375, 0.0, 1.0, 0.005, 0.9975]
    with shown(html(asked("logistic")), tmp_path) as page:
        wanted = {money: "money", signed: "signed", roas: "roas"}
        for python, name in wanted.items():
            values = [*NUMBERS, *random]
            told = page.ask(
                f"(() => {{ {source[start:end]} return {json.dumps(values)}.map({name}); }})()"
            )
            assert told == [python(value) for value in values]
        told = page.ask(f"(() => {{ {source[start:end]} return {shares}.map(percent); }})()")
        assert told == [share(value) for value in shares]


def test_the_study_of_a_page_is_asked() -> None:
    assert study().what_if is not None
