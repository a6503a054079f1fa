"""Names as figures can write them: short enough, and in a font that has their letters."""

import textwrap
from collections.abc import Iterable
from functools import lru_cache

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

LONGEST = 90  # characters of a name in a figure
TAIL = 20  # of these at its end, where names that begin alike differ
LINE = 34
LAST_RESORT = "Last Resort"  # has every letter, and the same box for most


def shown(name: object, line: int = LINE) -> str:
    """Return a name for a figure: in lines, its middle left out where it is very long."""
    text = str(name)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - TAIL - 1]}\N{HORIZONTAL ELLIPSIS}{text[-TAIL:]}"
    return "\n".join(textwrap.fill(part, line) for part in text.split("\n"))


def keyed(name: object) -> str:
    """Return a name for a legend, which leaves out what starts with an underscore."""
    text = shown(name)
    return f" {text}" if text.startswith("_") else text


def with_glyphs(figure: Figure) -> Figure:
    """Give the texts of a figure fonts that have their letters.

    A letter that no font of the machine has is written as its code: names stay apart, where empty
    boxes would all look the same.
    """
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    texts = figure.findobj(Text)
    ticks = {axis: _tick_labels(axis) for axis in axes}
    held = [*(text.get_text() for text in texts), *(name for of in ticks.values() for name in of)]
    missing = {sign for text in held for sign in text if not text.isascii()} - _letters()
    if not missing:
        return figure
    fonts, lost = _fonts_for(frozenset(missing))
    family = [*FontProperties().get_family(), *fonts]
    codes = {ord(sign): f"[{ord(sign):X}]" for sign in lost}
    for text in texts:
        if missing & set(text.get_text()):
            # Upright and of normal weight, as most fonts of a script have no other.
            text.set_fontfamily(family)
            text.set_fontweight("normal")
            text.set_text(_spelled(text.get_text(), codes))
    for axis, names in ticks.items():
        if any(missing & set(name) for name in names):
            axis.set_ticklabels([_spelled(name, codes) for name in names], fontfamily=family)
    return figure


def _spelled(text: str, codes: dict[int, str]) -> str:
    """Write letters as their codes, which are longer, in lines that are not."""
    written = text.translate(codes)
    return text if written == text else shown(written, max(LINE, *map(len, text.split("\n"))))


def _tick_labels(axis: Axis) -> list[str]:
    """Return the labels of an axis whose ticks are names."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    return [tick.get_text() for tick in axis.get_ticklabels()]


@lru_cache(maxsize=1)
def _letters() -> frozenset[str]:
    """Return what the font of all figures can write, and what needs no glyph."""
    return _of_font(findfont(FontProperties())) | frozenset("\n\r\t")


def _of_font(path: str) -> frozenset[str]:
    return frozenset(map(chr, get_font(path).get_charmap()))


@lru_cache
def _fonts_for(missing: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return fonts of this machine that have some letters, and those that none has."""
    chosen: list[str] = []
    for name, path in _installed():
        if not missing:
            break
        try:
            has = _of_font(path) & missing
        except (RuntimeError, OSError):  # a font of pictures, or a broken one
            continue
        if has:
            chosen.append(name)
            missing -= has
    return tuple(chosen), missing


def _installed() -> Iterable[tuple[str, str]]:
    """Return upright fonts of normal weight, by name."""
    return sorted(
        (font.name, font.fname)
        for font in fontManager.ttflist
        if font.style == "normal"
        and str(font.weight) in ("400", "normal", "regular")
        and not font.name.startswith(LAST_RESORT)
    )
