"""Columns that repeat each other are named."""

import numpy as np

from mmm_demo.tables.repeats import partners_of, unit_of


def test_a_column_of_no_spread_has_no_direction() -> None:
    assert unit_of(np.full(9, 3.0)) is None
    assert unit_of(np.zeros(9)) is None
    assert np.isclose(np.linalg.norm(unit_of(np.arange(9.0))), 1.0)


def test_a_sum_names_its_parts_and_an_own_column_none() -> None:
    rng = np.random.default_rng(2)
    parts = {name: rng.normal(size=40) for name in ("a", "b", "c")}
    basis = {name: unit_of(values) for name, values in parts.items()}
    assert partners_of(unit_of(3 * parts["a"] + parts["c"] + 5), basis) == ["a", "c"]
    assert partners_of(unit_of(rng.normal(size=40)), basis) == []
