"""Time and memory to read a firstfile.csv of the real size.

    uv run python benchmarks/dt_mart_read.py FOLDER

FOLDER holds the DT Mart files; look-alikes of the real size do as well.
"""

import argparse
import statistics
import sys

from scratch import ROOT, measure

READ = """
import json, sys, time
from pathlib import Path
from mmm_demo.sources.dt_mart_files import read_firstfile
started = time.perf_counter()
rows = read_firstfile(Path(sys.argv[1])).rows
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - started}))
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    runs = [measure([sys.executable, "-c", READ, folder], ROOT) for _ in range(5)]
    seconds = [run.result()["seconds"] for run in runs]
    print(
        f"{runs[0].result()['rows']:,} rows: median {statistics.median(seconds):.1f} s "
        f"({min(seconds):.1f} to {max(seconds):.1f}), peak {max(r.peak_mb for r in runs):.0f} MB"
    )


if __name__ == "__main__":
    main()
