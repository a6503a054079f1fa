"""Time, memory and sizes of the main job and what it leaves.

    uv run python benchmarks/main_job.py

Cold has an empty cache of compiled kernels; warm has the one that the cold run filled.
"""

import sys
from pathlib import Path

from scratch import measure, scratch_project

COMMAND = [sys.executable, "-m", "mmm_demo.cli"]
LOAD = """
import json, time
import mlflow.store.tracking.sqlalchemy_store, mmm_demo.model
from mmm_demo.store.registry import load_champion
load_champion  # imported: what follows is the loading alone
started = time.perf_counter()
champion = load_champion("demo")
champion.bundle.fitted.mmm
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def main() -> None:
    """Run the benchmark."""
    with scratch_project() as folder:
        cache = {"PYTENSOR_FLAGS": f"base_compiledir={folder / 'compiled'}"}
        run = [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local"]
        path = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}
        for name in ("cold", "warm"):
            done = measure(run, folder, **cache, **path)
            print(f"main job, {name}: {done.wall:.0f} s, peak {done.peak_mb:.0f} MB", flush=True)
        size = max(_size(item) for item in (folder / "mlruns").glob("*/models/*"))
        print(f"registered version: {size / 1e6:.2f} MB")
        done = measure([sys.executable, "-c", LOAD], folder, **cache)
        print(f"champion loaded and proven: {done.result()['seconds']:.2f} s, after imports")
        done = measure([*COMMAND, "optimize"], folder, **cache)
        print(f"champion to first plan, from process start: {done.wall:.1f} s")
        walls = sorted(measure([*COMMAND, "--help"], folder).wall for _ in range(5))
        print(f"mmm-demo --help: {walls[2]:.2f} s (median of 5)")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
