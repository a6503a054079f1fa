"""A figure as it is kept: a PNG and its place. Loads nothing that draws."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmm_demo.plots.style import NamedFigure

PNG_DPI = 110


@dataclass(frozen=True)
class Picture:
    """A drawn figure; its place as `style.NamedFigure` has it."""

    folder: str
    subject: str
    name: str
    png: bytes


def pictures(figures: Iterable["NamedFigure"]) -> Iterator[Picture]:
    """Yield figures as pictures, one after the other."""
    for item in figures:
        file = BytesIO()
        item.figure.savefig(file, format="png", dpi=PNG_DPI)
        yield Picture(item.folder, item.subject, item.name, file.getvalue())


def drawn(draw: Callable[..., Iterable["NamedFigure"]], *what: Any) -> list[Picture]:
    """Return the pictures of all figures that `draw` makes of something: what a process is told."""
    return [*pictures(draw(*what))]
