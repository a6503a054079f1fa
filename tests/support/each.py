"""One test over many values that are not worth a test each: whatever fails is shown by itself."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import product
from typing import Any

import pytest

Test = Callable[..., None]


def each(**values: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test for every combination of values, as `parametrize` does, but within one test.

    Decorators that stand above each other make one loop over all combinations.
    """

    def decorate(test: Test) -> Test:
        once, below = getattr(test, "each", (test, {}))
        loops = {name: list(items) for name, items in values.items()} | below
        asked = inspect.signature(once).parameters
        assert set(loops) <= set(asked), f"{once.__name__} takes no {set(loops) - set(asked)}"
        assert all(loops.values()), f"{once.__name__} would test nothing: {loops}"

        @wraps(test)
        def looped(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for combination in product(*loops.values()):
                item = dict(zip(loops, combination, strict=True))
                shown = ", ".join(f"{name}={value!r}" for name, value in item.items())
                with subtests.test(shown):
                    once(**item, **fixtures)

        own = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        rest = [parameter for name, parameter in asked.items() if name not in loops]
        looped.__signature__ = inspect.Signature([own, *rest])
        looped.each = (once, loops)
        return looped

    return decorate
