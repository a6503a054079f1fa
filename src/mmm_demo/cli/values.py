"""Values that words on the command line may have."""

from collections.abc import Callable
from typing import Any

import click

UNSET = "unset"  # what MLflow passes for a parameter that nobody gave: it always passes something


class OrUnset(click.ParamType):
    """A typed value, or the word for one that is not given.

    Parameters
    ----------
    inner
        Type of the value.
    old
        The word that stood for `unset` before there was one for all; still read in this release.
        None of what came later.
    """

    def __init__(self, inner: click.ParamType, old: str | None = None) -> None:
        self.inner, self.old, self.name = inner, old, inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None for what is not given, else the typed value."""
        if value is not None and value == self.old:
            place = param.opts[0] if param else "a value"
            told = f"{place}: write {UNSET} instead of {value}, which the next release refuses"
            click.echo(told, err=True)
        return None if value in (None, UNSET, self.old) else self.inner.convert(value, param, ctx)


def open_option(
    name: str, kind: click.ParamType, told: str, *, unset: str, old: str | None = None, **more: Any
) -> Callable:
    """Return an option that may be left open, whose help says what then holds.

    Parameters
    ----------
    name, more
        See `click.option`.
    kind, old
        See `OrUnset`.
    told, unset
        What it is, and what holds when it is not given.
    """
    return click.option(name, type=OrUnset(kind, old), help=f"{told}  [{UNSET}: {unset}]", **more)


class MostChange(click.ParamType):
    """How far a channel may move: a share as a number or in percent, or `seen`."""

    name = "share|seen"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | float:
        """Return the share, or the word."""
        text = str(value).strip()
        if text == "seen":
            return text
        try:
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(
                f"{value!r} is no share: give one as 0.3 or 30%, or the word seen", param, ctx
            )
