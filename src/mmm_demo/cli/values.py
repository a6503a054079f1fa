"""Values that words on the command line may have."""

from typing import Any

import click


class OrUnset(click.ParamType):
    """A typed value, or the word that leaves it open; MLflow always passes one or the other."""

    def __init__(self, inner: click.ParamType, unset: str) -> None:
        self.inner, self.name, self.unset = inner, f"{inner.name}|{unset}", unset

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None for an unset value, else the typed value."""
        return None if value == self.unset else self.inner.convert(value, param, ctx)
