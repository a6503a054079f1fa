"""What each form costs on the demo market, beside the default model.

    uv run python benchmarks/forms.py --seeds 3
    uv run python benchmarks/forms.py --picture docs/forms.png

Every form of the registry in place of the default, and holidays of one country. Per form: time of
one gradient, time in the sampler over all attempts until the convergence gate passes, and how many
of the seeds passed; times are ratios to the default model's of the same seed, fitted in turn.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.dates import YearLocator
from matplotlib.figure import Figure

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.fits.sampler import draw
from mmm_demo.forms.autocorrelation import autocorrelated
from mmm_demo.forms.kinds import INTERCEPT, RATE, Frame
from mmm_demo.forms.registry import FORMS, default, every_parameter, find
from mmm_demo.plots import style as look
from mmm_demo.settings.events import Holidays
from mmm_demo.settings.experiment import (
    ModelConfig,
    free_parameters,
    with_calendar,
    with_forms,
)
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import GateConfig
from mmm_demo.settings.priors import default_prior
from mmm_demo.sources.market import load_market

NORMAL = find("noise", default("noise"))
ROOT = Path(__file__).resolve().parent.parent
DEFAULT = {name: default_prior(item) for name, item in every_parameter().items()}
DEMO = load_experiment(ROOT / "experiments/demo.yaml")


def variants(model: ModelConfig) -> Iterator[tuple[str, ModelConfig]]:
    """Yield a model in each form that is not its own, by what differs."""
    for kind, forms in FORMS.items():
        for name in forms:
            if name != default(kind):
                yield f"{kind}: {name}", with_forms(model, **{kind: name})
    yield "autocorrelation", with_forms(model, autocorrelation=True)
    tailed = with_forms(model, noise="student_t", autocorrelation=True)
    yield "student_t, autocorrelation", tailed
    data = replace(DEMO.data, holidays=Holidays("US"))
    yield "holidays: US", with_calendar(model, load_market(data, model, ROOT).calendar)


def fitted(model: ModelConfig, table: object, seed: int) -> tuple[float, float, bool]:
    """Return microseconds of a gradient, seconds in the sampler, and whether the gate passed."""
    sampler = replace(DEMO.sampler, seed=seed)
    seconds, steps = 0.0, 0
    for attempt in ladder(sampler.target_accept):
        drawn = draw(model, table, sampler, attempt, cores=1)
        seconds += drawn.seconds
        steps += int(drawn.trace["sample_stats"]["n_steps"].sum())
        checks = convergence_checks(
            drawn.trace, free_parameters(model), GateConfig(), sampler.chains
        )
        if passed := all(check.passed for check in checks):
            break
    return 1e6 * seconds / steps, seconds, passed


@look.styled
def picture() -> Figure:
    """Draw each form: shares by lag, responses, and paths of the prior for what moves in time."""
    fig = look.new_figure(11, 7.5, "The forms, with typical values")
    (shares, curves), (paths, scatter) = fig.subplots(2, 2)
    of_adstock = {"alpha": np.array([0.6]), "theta": np.array([2.0])}
    for number, (name, form) in enumerate(FORMS["adstock"].items()):
        taken = form.pick(lambda key: of_adstock[key.removeprefix("adstock_")])
        bars = form.shares(form.reach(8), **taken)[:, 0]
        place = np.arange(len(bars)) + 0.2 * number - 0.3
        look.tidy(shares).bar(place, bars, 0.2, label=name)
    shares.set(xlabel="Lag in weeks", ylabel="Share of the effect", title="Adstock")
    spend = np.linspace(0, 1.5, 200)
    for name, form in FORMS["saturation"].items():
        steep = 2.0 if RATE in [item.name for item in form.parameters] else 1.0
        bend = {key: np.array(3.0) for key in form.bend(lambda _: np.array(3.0))}
        look.tidy(curves).plot(spend, form.curve(steep * spend, **bend), label=name)
    curves.set(xlabel="Adstocked spend", ylabel="Response", title="Saturation (hill: slope 3)")
    weeks = np.datetime64("2023-01-02") + np.arange(208) * np.timedelta64(7, "D")
    frame, rng = Frame(weeks[:156], 0), np.random.default_rng(4)
    for color, (name, form) in zip(("C0", "C1", "C2"), FORMS["baseline"].items(), strict=True):
        for draw_number in range(3):
            drawn = {
                item.variable: prior_distribution(DEFAULT[item.name]).rvs(
                    size=len(item.items) or None, random_state=rng
                )
                for item in form.parameters
            }
            drawn[INTERCEPT.variable] = np.float64(0.5)
            taken = form.pick(lambda key, drawn=drawn: np.asarray(drawn[key]))
            path = 0.5 + form.basis(weeks, frame) @ form.coefficients(**taken)
            label = {"label": name} if draw_number == 0 else {}
            look.tidy(paths).plot(weeks, path, color=color, **label)
    paths.axvspan(weeks[156], weeks[-1], color="0.9", zorder=0)
    paths.set(ylabel="Sales, best week 1", title="Baselines of the prior; grey: after the data")
    laws = {"normal": (NORMAL, {}), "student_t": (find("noise", "student_t"), {"nu_above_2": 1.0})}
    laws["normal, autocorrelation"] = autocorrelated(NORMAL), {"rho": 0.7}
    for number, (name, (form, more)) in enumerate(laws.items()):
        numbers = {key: np.full(1, value) for key, value in ({"sigma": 0.15} | more).items()}
        residuals = form.draw(np.zeros((1, 104)), np.random.default_rng(6), **numbers)[0]
        look.tidy(scatter).plot(residuals - 1.2 * number, label=name, linewidth=0.9)
    scatter.set(xlabel="Week", yticks=[], title="Noise, one below the other")
    paths.xaxis.set_major_locator(YearLocator())
    scatter.set_ylim(-3.9, 0.6)
    for ax, place in ((shares, 1), (curves, 2), (paths, 3), (scatter, 4)):
        ax.legend(fontsize=8, frameon=False, loc=place)
    return fig


def main() -> None:
    """Fit each form in turn with the default, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="draw the forms instead")
    asked = parser.parse_args()
    if asked.picture:
        picture().savefig(asked.picture, dpi=100)
        return
    seeds = range(1, asked.seeds + 1)
    table = load_market(DEMO.data, DEMO.model, ROOT).table
    print(f"{'form':34} {'a gradient':>12} {'sampling':>10} {'passed':>8}")
    for name, model in variants(DEMO.model):
        rows = [(fitted(DEMO.model, table, seed), fitted(model, table, seed)) for seed in seeds]
        gradient, sampling = (
            statistics.median(other[which] / usual[which] for usual, other in rows)
            for which in (0, 1)
        )
        passed = sum(other[2] for _, other in rows)
        print(
            f"{name:34} {gradient:11.2f}x {sampling:9.2f}x {passed:>3} of {len(rows)}", flush=True
        )


if __name__ == "__main__":
    main()
