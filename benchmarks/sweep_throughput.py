"""How many gate-passing fits a minute: a sweep's resident workers against a loop of processes.

    uv run python benchmarks/sweep_throughput.py [--trials 40] [--loop 6] [--workers 2]

Both sides fit the demo market with the same settings (lag x priors x seasonality), folds, draws and
retry, and judge every fit by the convergence gate; a trial is a backtest of 3 folds and a fit of
all weeks, so 4 fits. The sweep is `mmm-demo sweep` from process start, with its logging, in a copy
of the project. The loop starts one process for each trial (`trial`), or for each fit (`fit`), which
imports, compiles and samples as PyMC-Marketing's own `fit` does, on all cores, and logs nothing; it
does `--loop` trials drawn by lot, half of them before the sweep and half after. Compile caches are
warm on both sides. Memory is that of the sweep's worker processes, looked at every 2 seconds:
the largest of all, and what a worker had after a third of the trials and at the end.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
from fit_speed import library_fit

PROJECT = Path(__file__).parents[1]
COPIED = ("MLproject", "python_env.yaml", "pyproject.toml", "experiments")
LAGS = (2, 4, 6, 8, 12)
SIGMAS = (0.15, 0.2, 0.25, 0.4)
MODES = (1, 2)
SWEEP = """name: throughput
experiment: experiments/demo.yaml
sampler: grid
folds: 3
draws: {draws}
tune: {tune}
search:
  model.adstock_max_lag: {lags}
  model.priors.saturation_beta.sigma: {sigmas}
  model.yearly_seasonality: {modes}
"""


def main() -> None:
    """Run both sides and print fits per minute, their ratio and the workers' memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40, choices=range(8, 41))
    parser.add_argument("--loop", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=500)
    parser.add_argument("--cold", help="one process of the loop: settings as JSON")
    asked = parser.parse_args()
    if asked.cold:
        print(json.dumps(_cold(json.loads(asked.cold))))
        return
    trials = list(itertools.product(LAGS[: asked.trials // 8], SIGMAS, MODES))
    chosen = random.Random(1).sample(trials, asked.loop)
    half = len(chosen) // 2
    loop = [_loop(chosen[:half], asked)]
    swept = _sweep(asked)
    loop.append(_loop(chosen[half:], asked))
    _report(swept, loop, len(trials))


def _report(swept: dict, loop: list[dict], trials: int) -> None:
    rate = swept["passed"] / swept["minutes"]
    print(
        f"sweep: {trials} trials, {swept['passed']} gate-passing fits of {4 * trials} in "
        f"{swept['minutes']:.1f} min: {rate:.1f} a minute"
    )
    for kind in ("trial", "fit"):
        passed = sum(part[kind]["passed"] for part in loop)
        minutes = sum(part[kind]["minutes"] for part in loop)
        fits = sum(part[kind]["fits"] for part in loop)
        print(
            f"one process for each {kind}: {passed} of {fits} fits in {minutes:.1f} min: "
            f"{passed / minutes:.1f} a minute; the sweep has {rate * minutes / passed:.1f} times"
        )
    print(
        f"memory of a worker: largest {swept['largest']:.0f} MB; at a third of the trials "
        f"{swept['early']:.0f} MB, at the end {swept['late']:.0f} MB"
    )


def _sweep(asked) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        for name in COPIED:
            source = PROJECT / name
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, root / name)
        lags = list(LAGS[: asked.trials // 8])
        text = SWEEP.format(
            draws=asked.draws, tune=asked.tune, lags=lags, sigmas=list(SIGMAS), modes=list(MODES)
        )
        (root / "sweep.yaml").write_text(text)
        command = [sys.executable, "-m", "mmm_demo.cli", "sweep", "sweep.yaml"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        started = time.monotonic()
        process = subprocess.Popen(
            [*command, "--workers", str(asked.workers)], cwd=root, env=environment
        )
        seen: list[tuple[float, float]] = []
        watcher = threading.Thread(target=_watch, args=(process.pid, seen), daemon=True)
        watcher.start()
        if process.wait():
            raise SystemExit(f"the sweep ended with code {process.returncode}")
        minutes = (time.monotonic() - started) / 60
        trials = next((root / "outputs" / "tables").glob("*.csv")).read_text()
    passed = 4 * trials.count(",passed,")
    # Without the first and last looks, when workers are not there yet or no more.
    memory = [megabytes for _, megabytes in seen][5:-5]
    third = len(memory) // 3
    return {
        "minutes": minutes,
        "passed": passed,
        "largest": max(memory),
        "early": memory[third],
        "late": memory[-1],
    }


def _watch(pid: int, seen: list[tuple[float, float]]) -> None:
    """Note the memory of the largest worker, the children's own children included."""
    while True:
        try:
            children = psutil.Process(pid).children(recursive=True)
            sizes = [child.memory_info().rss / 2**20 for child in children]
        except psutil.NoSuchProcess:
            return
        if sizes:
            seen.append((time.monotonic(), max(sizes)))
        time.sleep(2)


def _loop(trials: list[tuple], asked) -> dict:
    return {kind: _processes(trials, asked, kind) for kind in ("trial", "fit")}


def _processes(trials: list[tuple], asked, kind: str) -> dict:
    parts = [[0, 1, 2, 3]] if kind == "trial" else [[0], [1], [2], [3]]
    started, verdicts = time.monotonic(), []
    for lag, sigma, modes in trials:
        for fits in parts:
            settings = {"lag": lag, "sigma": sigma, "modes": modes, "fits": fits}
            settings |= {"draws": asked.draws, "tune": asked.tune}
            words = [sys.executable, __file__, "--cold", json.dumps(settings)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            verdicts += json.loads(done.stdout.splitlines()[-1])
    minutes = (time.monotonic() - started) / 60
    return {"passed": sum(verdicts), "fits": len(verdicts), "minutes": minutes}


def _cold(settings: dict) -> list[bool]:
    """Fit the folds that are asked for, and the whole table as number 3; return who passed."""
    from mmm_demo.checks.convergence import convergence_checks
    from mmm_demo.checks.gate import GateReport
    from mmm_demo.evidence.backtest import folds
    from mmm_demo.fits.response import scaling_of
    from mmm_demo.settings.experiment import SamplerConfig, free_parameters
    from mmm_demo.settings.experiment_file import load_experiment
    from mmm_demo.settings.limits import GateConfig
    from mmm_demo.sources.market import load_market

    beta = {"distribution": "HalfNormal", "sigma": settings["sigma"], "rationale": "benchmark"}
    changes = {"adstock_max_lag": settings["lag"], "yearly_seasonality": settings["modes"]}
    changes |= {"priors": {"saturation_beta": beta}}
    experiment = load_experiment(PROJECT / "experiments" / "demo.yaml", {"model": changes})
    table = load_market(experiment.data, experiment.model, PROJECT).table
    plan = folds(len(table), 3, experiment.evidence.horizon_weeks)
    model = replace(experiment.model, scaling=scaling_of(experiment.model, table))
    weeks = [*(train for train, _ in plan), len(table)]
    verdicts = []
    for number in settings["fits"]:
        sampler = SamplerConfig(draws=settings["draws"], tune=settings["tune"], seed=1 + number)
        for target_accept in (0.98, 0.99):
            known = table.head(weeks[number]).reset_index(drop=True)
            trace = library_fit(model, known, sampler, target_accept)
            checks = convergence_checks(trace, free_parameters(model), GateConfig(), 4)
            if not GateReport(checks).failures:
                break
        verdicts.append(not GateReport(checks).failures)
    return verdicts


if __name__ == "__main__":
    main()
