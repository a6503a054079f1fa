"""A model's log density and gradient as nutpie calls them, compiled once for all processes.

nutpie compiles its outermost function anew in every process, as a number in its name changes
with each: most of the time before the first draw. Here the same function is made of a text that
stays the same, so that PyTensor's compile cache keeps it like all others.

The sampler moves in coordinates of its own. Each parameter is unbounded (PyMC's transforms), and
in the intercept's place stands the *level* of sales: intercept plus mean media contribution.
Channels that never pause look like an intercept, so the data tell only the sum of both well, and
along that ridge NUTS takes small steps and diverges. The posterior stays the same: the level is
the intercept, shifted by an amount that hangs on other parameters only, so the Jacobian is 1.
Values that come in units of a size (`Additive.pooled`) are moved times a power of that size. Where
data tell the amount, a value in its unit is tied to the size, so the power is near 1; where they do
not, an amount has no room as the size gets small, and it is near 0 (Gorinova, Moore and Hoffman,
2020). There the Jacobian is that power of the size for each value. A parameter that may be next to
nothing (`Parameter.soft`) is moved along itself, and only below its unit along its logarithm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from typing import Any

import numba
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytensor.xtensor as ptx
import xarray as xr
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer, make_user_data
from pytensor import function
from pytensor.graph.replace import graph_replace
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src
from scipy.special import expit

from mmm_demo.forms.kinds import INTERCEPT
from mmm_demo.forms.registry import every_parameter, pooled_values

BACK: dict[str, Callable[[np.ndarray], np.ndarray]] = {"log": np.exp, "logodds": expit}
# PyMC's checks of parameters raise, which a function in C cannot; where a parameter rounds to its
# bound, as a scale to 0, the density is no number without them.
REWRITES = ("lower_xtensor", "canonicalize", "stabilize", "local_remove_check_parameter")
# Sum of squares of a value's terms at which data and prior tell it alike: noise over size, squared.
HALF_TOLD = 1.0
DOUBLES = numba.types.CPointer(numba.types.double)
DENSITY = numba.types.int64(numba.types.uint64, DOUBLES, DOUBLES, DOUBLES, numba.types.voidptr)
EXPAND = numba.types.int64(
    numba.types.uint64, numba.types.uint64, DOUBLES, DOUBLES, numba.types.voidptr
)
# What nutpie's own functions answer: 0, or why a place cannot be gone to.
DENSITY_TEXT = """
def density(size, place_, slope_, value_, data_):
    if size != {size}:
        return -1
    data = carray(data_, (), record)
    {arrays}
    value, slope = inner(carray(place_, ({size},)){names})
    carray(slope_, ({size},))[:] = slope
    carray(value_, ())[()] = value[()]
    if not np.all(np.isfinite(slope)):
        return 3
    if not np.isfinite(value[()]):
        return 4
    return 0
"""
EXPAND_TEXT = """
def expand(size, wanted, place_, out_, data_):
    if size != {size} or wanted != {size}:
        return -1
    carray(out_, ({size},))[:] = carray(place_, ({size},))
    return 0
"""


@dataclass(frozen=True)
class Item:
    """A free parameter in the sampler's place.

    Attributes
    ----------
    name, dims, shape
        As in the model.
    back
        PyMC's transform of it, if any.
    soft
        See `Parameter.soft`.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    back: str | None
    soft: float

    @property
    def size(self) -> int:
        """Number of its values."""
        return prod(self.shape)

    def parameter(self, places: np.ndarray) -> np.ndarray:
        """Return it on the model's scale; pooled values are still moved."""
        if self.soft:
            return self.soft * np.logaddexp(0, places / self.soft)
        return BACK[self.back](places) if self.back else places


@dataclass(frozen=True)
class Pool:
    """How values in units of a size are moved.

    Attributes
    ----------
    size
        Name of the size.
    powers
        Of it, by which each value is multiplied; from 0 to 1, shape (value,).
    """

    size: str
    powers: np.ndarray


@dataclass(frozen=True)
class Kernel:
    """A compiled density, with the values of its data.

    Attributes
    ----------
    compiled
        As nutpie samples it.
    items
        Free parameters, in their order in a place.
    level
        Whether the intercept's place holds the level.
    pools
        Of values that are moved times powers of a size, by their names.
    coords
        Labels of the items' dims.
    """

    compiled: CompiledPyMCModel
    items: tuple[Item, ...]
    level: bool
    pools: Mapping[str, Pool]
    coords: Mapping[str, Any]

    def with_data(self, model: pm.Model) -> "Kernel":
        """Return the same kernel with another model's data, of any length."""
        known = {shared.name for shared in self.compiled.shared_var_keys}
        data = {item.name: np.asarray(item.get_value()) for item in model.data_vars}
        compiled = self.compiled.with_data(**{name: data[name] for name in known})
        return replace(self, compiled=compiled, pools=_pools(model))

    def parameters(self, places: np.ndarray) -> xr.Dataset:
        """Return free parameters of places, on the model's scale; the level is not shifted back.

        Parameters
        ----------
        places
            Shape (chain, draw, value).
        """
        made, start = {}, 0
        for item in self.items:
            values = places[..., start : start + item.size]
            values = item.parameter(values.reshape(*places.shape[:-1], *item.shape))
            made[item.name] = (("chain", "draw", *item.dims), values)
            start += item.size
        for values, pool in self.pools.items():
            dims, moved = made[values]
            made[values] = (dims, moved / made[pool.size][1][..., None] ** pool.powers)
        dims = {dim for item in self.items for dim in item.dims}
        return xr.Dataset(made, coords={dim: list(self.coords[dim]) for dim in dims})


def compile_kernel(model: pm.Model) -> Kernel:
    """Compile a model's density; its data stay open.

    Parameters
    ----------
    model
        Of PyMC-Marketing (`build.build_model`).

    Raises
    ------
    NotImplementedError
        When a parameter has a transform without a way back here.
    """
    items = tuple(_item(model, parameter) for parameter in model.free_RVs)
    level = _level_is_free(model)
    compiled = _compile(model, items, level)
    return Kernel(compiled, items, level, _pools(model), dict(model.coords))


def log_density(model: pm.Model, level: bool, moved: bool = False) -> Any:
    """Return the graph of a model's log density, of the values that its parameters have inside.

    Parameters
    ----------
    model
        Of PyMC-Marketing.
    level
        Whether the intercept's value stands for the level.
    moved
        Whether pooled and soft values stand for what the sampler moves in their place.
    """
    density = model.logp()
    for values, (size, terms) in _pooled(model).items() if moved else ():
        place, log_size = _value(model, values), _value(model, size)
        told = (ptx.as_xtensor(model[terms], dims=model.named_vars_to_dims[terms]) ** 2).sum("date")
        power = told / (told + HALF_TOLD)
        (density,) = graph_replace([density], {place: place * ptx.math.exp(-power * log_size)})
        density = density - (power.sum() * log_size).values
    if level:
        media = model["channel_contribution"].sum("channel").mean("date")
        (media,) = model.replace_rvs_by_values([media])
        place = _value(model, INTERCEPT.variable)
        (density,) = graph_replace([density], {place: place - media})
    for name, unit in _soft(model).items() if moved else ():
        place = _value(model, name)
        log_value = ptx.math.log(unit * ptx.math.softplus(place / unit))
        (density,) = graph_replace([density], {place: log_value})
        density = density - (ptx.math.softplus(-place / unit) + log_value).sum().values
    return density


def _pooled(model: pm.Model) -> dict[str, tuple[str, str]]:
    """Return size and terms, as data, of each group of values that come in units of a size."""
    return {
        values: (size, f"{form}_terms")
        for values, (size, form) in pooled_values().items()
        if values in model.named_vars
    }


def _soft(model: pm.Model) -> dict[str, float]:
    """Return the unit of each soft parameter of a model, by its name."""
    soft = [item for item in every_parameter().values() if item.soft]
    return {item.variable: item.soft for item in soft if item.variable in model.named_vars}


def _pools(model: pm.Model) -> dict[str, Pool]:
    pools = {}
    for values, (size, terms) in _pooled(model).items():
        told = (model[terms].get_value() ** 2).sum(axis=0)
        pools[values] = Pool(size, told / (told + HALF_TOLD))
    return pools


def _level_is_free(model: pm.Model) -> bool:
    """Whether any level is possible: not where the intercept's prior is positive."""
    return model.rvs_to_transforms[model[INTERCEPT.variable]] is None


def _value(model: pm.Model, name: str) -> Any:
    return model.rvs_to_values[model[name]]


def _item(model: pm.Model, parameter: Any) -> Item:
    transform = model.rvs_to_transforms[parameter]
    back = transform.name if transform else None
    if back and back not in BACK:
        raise NotImplementedError(f"{parameter.name} has the transform {back}; known: {[*BACK]}")
    dims = model.named_vars_to_dims.get(parameter.name) or ()
    shape = tuple(len(model.coords[dim]) for dim in dims)
    soft = _soft(model).get(parameter.name, 0.0)
    return Item(parameter.name, tuple(dims), shape, back, soft)


def _compile(model: pm.Model, items: tuple[Item, ...], level: bool) -> CompiledPyMCModel:
    size = sum(item.size for item in items)
    place = pt.TensorType("float64", shape=(size,))("place")
    given, start = {}, 0
    for item in items:
        piece = place[start : start + item.size].reshape(item.shape)
        given[_value(model, item.name)] = ptx.as_xtensor(piece, dims=item.dims)
        start += item.size
    (density,) = graph_replace([log_density(model, level, moved=True)], given)
    density = rewrite_graph(density, include=REWRITES)
    graph = function([place], [density, pt.grad(density, place)], mode="NUMBA")
    keys = {shared: f"data_{number}" for number, shared in enumerate(graph.get_shared())}
    data = {key: _frozen(shared.get_value()) for shared, key in keys.items()}
    user_data = make_user_data(keys, data)
    arrays = "\n    ".join(_array(key, array) for key, array in data.items())
    density_text = DENSITY_TEXT.format(
        size=size, arrays=arrays, names="".join(f", {key}" for key in data)
    )
    known = {"inner": graph.vm.jit_fn, "np": np, "record": user_data.dtype}
    known |= {"address": address_as_void_pointer}
    inner = CACHED_SRC_FUNCTIONS.get(graph.vm.jit_fn.py_func)  # none where PyTensor keeps none
    return CompiledPyMCModel(
        dims={},
        _n_dim=size,
        _coords={},
        _shapes={"place": (size,)},
        compiled_logp_func=_callback(DENSITY, density_text, known, inner),
        compiled_expand_func=_callback(EXPAND, EXPAND_TEXT.format(size=size), {}, "expand"),
        initial_point_func=lambda seed: np.random.default_rng(seed).uniform(-1, 1, size),
        shared_data=data,
        shared_var_keys=keys,
        user_data=user_data,
        n_expanded=size,
        shape_info=(["place"], [slice(0, size)], [(size,)]),
        logp_func=graph,
        expand_func=None,
        reparameterized_names=[],
    )


def _frozen(value: Any) -> np.ndarray:
    array = np.array(value, order="C", copy=True)
    array.flags.writeable = False
    return array


def _array(key: str, array: np.ndarray) -> str:
    """Return the line that finds an array of the data where nutpie keeps them."""
    shape = "".join(f"data['shared']['shape']['{key}'][{axis}], " for axis in range(array.ndim))
    place = f"address(data['shared']['data']['{key}'][()])"
    return f"{key} = carray({place}, ({shape}), np.{array.dtype})"


def _callback(signature: Any, text: str, known: Mapping[str, Any], inner: str | None) -> Any:
    """Compile a text, or take it from the cache.

    Parameters
    ----------
    signature
        Of the function in C.
    text
        Its only function; the same text is the same code where `inner` is the same too.
    known
        What it calls beside numba's `carray`.
    inner
        Key of the function within; None compiles anew.
    """
    name = text.split("(")[0].removeprefix("\ndef ")
    names = {"__name__": __name__, "carray": numba.carray, **known}
    seen = f"{inner} {names.get('record')} {text}"
    key = sha256(seen.encode()).hexdigest() if inner else None
    made = compile_numba_function_src(text, name, names, {}, cache_key=key)
    return numba.cfunc(signature, cache=key is not None)(made)
