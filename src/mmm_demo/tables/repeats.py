"""Which columns repeat each other, so that no model can tell them apart."""

import numpy as np

COLLINEAR_TOLERANCE = 1e-3  # unexplained share of a column (R2 > 0.999999): exact up to rounding
CONSTANT_TOLERANCE = 1e-9  # spread over size below which a column is constant up to float noise


def unit_of(values: np.ndarray) -> np.ndarray | None:
    """Centre (the model has an intercept) and scale to length 1; None if there is no spread."""
    size = np.abs(values).max(initial=0.0)
    if size == 0 or np.ptp(values) <= CONSTANT_TOLERANCE * size:
        return None
    centred = values / size - np.mean(values / size)
    return centred / np.linalg.norm(centred)


def partners_of(unit: np.ndarray, basis: dict[str, np.ndarray]) -> list[str]:
    """Name the columns of the basis that together reproduce ``unit``; none if they do not."""
    matrix = np.array([*basis.values()]).reshape(len(basis), len(unit)).T
    weights = np.linalg.lstsq(matrix, unit)[0]
    if np.linalg.norm(unit - matrix @ weights) >= COLLINEAR_TOLERANCE:
        return []
    return [b for b, w in zip(basis, weights, strict=True) if abs(w) > COLLINEAR_TOLERANCE]
