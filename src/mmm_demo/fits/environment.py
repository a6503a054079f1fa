"""What draws hang on beside model, data and seed: versions, processor, arithmetic, coordinates."""

import platform
from importlib import metadata

import pytensor
from llvmlite import binding

# What this package sets in a process, here and, before NumPy is loaded, in the room's `__init__`;
# whoever builds, samples or reports imports this module.
# Sums in the order in which they are written. Otherwise code that comes from the compile cache
# rounds otherwise than code that was compiled a moment ago, and the same seed gives other draws.
pytensor.config.numba__fastmath = False

PREFIX = "environment."
# All that builds the graph, compiles it, draws start values or samples.
PACKAGES = ("pymc", "pymc-marketing", "pymc-extras", "pytensor", "nutpie", "numba", "llvmlite")
PACKAGES = (*PACKAGES, "numpy", "scipy")
VECTOR_INSTRUCTIONS = ("sse4", "avx", "fma", "neon", "sve")
STRICT, FAST = "strict", "fast"
COORDINATES = "coordinates"
LEVEL, INTERCEPT = "level", "intercept"  # in which the sampler moves (`kernel`); before, the other


def environment() -> dict[str, str]:
    """Return versions, processor and arithmetic of this process.

    The number of cores is not among them: each chain has a seed of its own.

    Returns
    -------
    dict
        `python`, `system`, `processor`, `instructions`, `arithmetic` (`strict`, or `fast` where
        the compiler may reorder sums), `coordinates` (`level`) and one version per package; `none`
        where not installed.
    """
    features = binding.get_host_cpu_features()
    vector = sorted(
        name for name, there in features.items() if there and name.startswith(VECTOR_INSTRUCTIONS)
    )
    library = " ".join(filter(None, platform.libc_ver()))
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {library}".strip(),  # exp and log are the C library's
        "processor": f"{platform.machine()} {binding.get_host_cpu_name()}",
        "instructions": " ".join(vector) or "none",
        "arithmetic": FAST if pytensor.config.numba__fastmath else STRICT,
        COORDINATES: LEVEL,
    } | {name: _version(name) for name in PACKAGES}


def environment_params() -> dict[str, str]:
    """Return the environment as a run's params, e.g. `environment.numba`."""
    return {f"{PREFIX}{name}": value for name, value in environment().items()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
