"""How fast the plan's page answers, and how large it is: 6 channels x 13 weeks, in a browser.

    uv run python benchmarks/what_if.py [--moves 200] [--draws 4000] [--saturation hill]
                                        [--keep FILE]

The model is the demo's with two more channels and draws of its priors in place of a posterior: the
page costs the same whatever the draws say. It shows three plans with all their figures. A move is
one step of a channel's slider with the total kept, so that every channel moves; its time is from
the event until the page is laid out again, in a headless Chromium at 1280 x 900. The page's numbers
are made once per plan run; their time is told, too. `--keep` writes the page to a file.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

# As `mmm-demo` does: on small matrices BLAS threads only cost time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import xarray as xr

PROJECT = Path(__file__).parents[1]
WEEKS = 13
GOALS = {"median move": (30.0, "ms"), "page": (1.5, "MB")}
MOVES = """(moves => {
  const part = document.getElementById('what_if');
  const sliders = [...part.querySelectorAll('input[type=range]')].slice(1);
  const times = [];
  for (let i = 0; i < moves; i++) {
    const slider = sliders[i % sliders.length];
    slider.value = slider.max * ((i * 0.618) % 1);
    const begin = performance.now();
    slider.dispatchEvent(new Event('input'));
    slider.dispatchEvent(new Event('change'));
    part.getBoundingClientRect();
    times.push(performance.now() - begin);
  }
  return times;
})"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--saturation", default="logistic", help="a form, e.g. hill")
    parser.add_argument("--keep", type=Path, help="where to keep the page")
    asked = parser.parse_args()
    text, seconds = _page(asked.draws, asked.saturation)
    if asked.keep:
        asked.keep.write_text(text, encoding="utf-8")
    times = _moves(text, asked.moves)
    size = len(text.encode("utf-8")) / 1e6
    print(f"6 channels, {WEEKS} weeks, {asked.draws:,} draws, {asked.saturation}")
    print(f"numbers of the part   {seconds:.2f} s")
    found = {"median move": float(np.median(times)), "page": size}
    print(f"95% of the moves      {np.quantile(times, 0.95):.1f} ms, worst {max(times):.1f} ms")
    for name, (most, unit) in GOALS.items():
        verdict = "kept" if found[name] <= most else "missed"
        print(f"{name:<21} {found[name]:.2f} {unit} (goal {most:g} {unit}: {verdict})")
    sys.exit(0 if all(found[name] <= most for name, (most, _) in GOALS.items()) else 1)


def _fitted(draws: int, saturation: str):
    """Return the demo's model with two more channels and draws of its priors."""
    from mmm_demo.fits.fitted import FittedModel
    from mmm_demo.fits.prior import prior_draws
    from mmm_demo.fits.trace import WEEKLY_TABLE, as_written
    from mmm_demo.settings.experiment import ModelConfig
    from mmm_demo.sources.simulate import simulate_market

    table = simulate_market(seed=7).table
    for name, like, shift in (("Display", "TV", 9), ("Audio", "Radio", 23)):
        table[name] = np.roll(table[like].to_numpy(), shift)
    channels = ("TV", "Radio", "Search", "Social", "Display", "Audio")
    config = ModelConfig(
        channel_columns=channels, control_columns=("Trend",), yearly_seasonality=2,
        saturation=saturation,
    )  # fmt: skip
    rngs = dict.fromkeys(config.priors, np.random.default_rng(2))
    drawn = prior_draws(config, draws, rngs)
    modes = [f"{wave}_{number}" for number in (1, 2) for wave in ("sin", "cos")]
    drawn = drawn.assign_coords({"chain": [0], "draw": range(draws), "fourier_mode": modes})
    weekly = xr.Dataset.from_dataframe(
        table[["Week", "Sales", *channels, "Trend"]].rename_axis("row")
    )
    groups = {"posterior": as_written(drawn, config), WEEKLY_TABLE: weekly}
    return FittedModel(config, xr.DataTree.from_dict(groups))


def _page(draws: int, saturation: str) -> tuple[str, float]:
    """Return the page of three plans, and the seconds that the part's numbers take."""
    from mmm_demo.planning.optimize import Planner
    from mmm_demo.planning.study import study_plans
    from mmm_demo.planning.what_if import what_if
    from mmm_demo.planning.window import window_of
    from mmm_demo.reports.plan_page import Ground, plan_page
    from mmm_demo.settings.scenario import Scenario

    fitted = _fitted(draws, saturation)
    planner = Planner(fitted, window_of(fitted, WEEKS, None, {}))
    near = {"*": (0.7, 1.3)}
    plans = [
        planner.plan(scenario)
        for scenario in (
            Scenario("near", relative_bounds=near),
            Scenario("tv_as_before", fixed=("TV",), profile="historical"),
            Scenario("profit", objective="profit", margin=0.4, relative_bounds=near),
        )
    ]
    study = study_plans(planner, plans)
    begin = time.perf_counter()
    if what_if(planner, plans) is None:
        sys.exit(f"the page does not know the saturation {saturation}")
    seconds = time.perf_counter() - begin
    ground = Ground("mmm_demo", "1", 1, fitted.span, "passed", 0, "mmm-demo card", market="demo")
    return plan_page(study, ground), seconds


def _moves(text: str, number: int) -> list[float]:
    """Return the milliseconds of each move."""
    sys.path.append(str(PROJECT / "tests" / "support"))
    from browser import CHROMIUM, opened

    if CHROMIUM is None:
        sys.exit("no Chromium here; install it as .ci/run does")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "page.html"
        file.write_text(text, encoding="utf-8")
        with opened(file.as_uri(), Path(name) / "profile") as page:
            page.wait_for("What it rests on")
            page.call(
                "Emulation.setDeviceMetricsOverride",
                width=1280, height=900, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
            return page.ask(f"{MOVES}({number})")


if __name__ == "__main__":
    main()
