"""How numbers are written, and what a number is a share of: the same words wherever one reads.

Sales are of two kinds. All sales are those that came; sales by media are the part that spend is
expected to bring. A gain of 267k may be 2.3 % of all sales and 12.7 % of sales by media, so a
percentage never stands without the whole that it is taken of.
"""

import math
from collections.abc import Sequence
from datetime import date

UNKNOWN = "n/a"
DAY = "%Y-%m-%d"
ALL_SALES, MEDIA_SALES = "all sales", "sales by media"  # the two wholes
OF_ALL, OF_MEDIA = f"gain, % of {ALL_SALES}", f"gain, % of {MEDIA_SALES}"  # heads of columns
ROAS_UNIT = "target units per unit of spend"  # orders per unit of money, where that is counted


def join_words(words: Sequence[object]) -> str:
    """Return words as people list them: `a, b and c`."""
    listed = [str(word) for word in words]
    return " and ".join(part for part in (", ".join(listed[:-1]), *listed[-1:]) if part)


def some(words: Sequence[str], most: int) -> str:
    """List the first of many words: `a, b, c and 4 more`."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def number_of(number: int, noun: str = "week") -> str:
    """Return a number of things: `1 week`, `3 weeks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def span(days: Sequence[date]) -> str:
    """Return first and last of some days in words: `2024-01-01 to 2024-02-05`."""
    return " to ".join(dict.fromkeys(f"{day:{DAY}}" for day in (days[0], days[-1])))


def human(value: float, digits: int = 3) -> str:
    """Return a number as people say it: 1.2M, 350k, 0.25; ``n/a`` when it is not finite."""
    if not math.isfinite(value):
        return UNKNOWN
    rounded = float(f"{value:.{digits}g}") + 0.0
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(rounded) >= size:
            return f"{rounded / size:.{digits}g}{suffix}"
    return f"{rounded:.{digits}g}"


def money(value: float) -> str:
    """Write an amount with three digits, as many in every row: 2.90M, 684k, 0.25."""
    text = human(value)
    number = text.rstrip("kMBT")
    if number == text:
        return text
    return f"{float(number):#.3g}".rstrip(".") + text[len(number) :]


def signed(value: float) -> str:
    """Write an amount with its sign: +134k."""
    return f"{'+' if value > 0 else ''}{money(value)}"


def amount(value: float) -> str:
    """Write an amount in full, as it stands in a file: 1,322,900; 2.25."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.0f}" if value == 0 or abs(value) >= 100 else f"{value:.3g}"


def roas(value: float) -> str:
    """Write a ROAS or marginal ROAS with three significant digits: 0.00153, 2.10, 32.0, 1,230.

    In whatever units sales and spend are counted: orders per unit of money are far below 1.
    """
    if not math.isfinite(value):
        return UNKNOWN
    rounded = float(f"{value:.3g}") + 0.0  # no -0
    if rounded == 0:
        return "0"
    places = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, places)}f}" if places < 12 else f"{rounded:.3g}"


def roas_between(lower: float, upper: float, to: str = " to ") -> str:
    """Write the ends of an interval of ROAS."""
    known = math.isfinite(lower) and math.isfinite(upper)
    return f"{roas(lower)}{to}{roas(upper)}" if known else UNKNOWN


def roas_with_interval(value: float, lower: float, upper: float) -> str:
    """Write a ROAS with its interval: 2.10 (1.80 to 2.30)."""
    return f"{roas(value)} ({roas_between(lower, upper)})" if math.isfinite(value) else UNKNOWN


def share(part: float, digits: int = 0) -> str:
    """Write a share without a sign: 12%; ``n/a`` where it is not known."""
    rounded = round(part, digits + 2) + 0.0 if math.isfinite(part) else math.nan  # no -0
    return UNKNOWN if math.isnan(rounded) else f"{rounded:.{digits}%}"


def percent(share: float, digits: int = 1) -> str:
    """Write a gain's share with its sign: +2.3%; ``n/a`` where it is not known."""
    return f"{share:+.{digits}%}" if math.isfinite(share) else UNKNOWN


def of_sales(of_all: float, of_media: float) -> str:
    """Say what a gain in sales is a share of: +2.3% of all sales, +12.7% of those that media bring.

    Parameters
    ----------
    of_all
        Share of all sales of the last period; left out where it is not known.
    of_media
        Share of what a replay of the last period is expected to bring by media; likewise.
    """
    told = ((of_all, f"of {ALL_SALES}"), (of_media, "of those that media bring"))
    return ", ".join(f"{percent(share)} {whole}" for share, whole in told if math.isfinite(share))


def with_shares(gain: str, of_all: float, of_media: float) -> str:
    """Write a gain and, in brackets, what it is a share of: +267k (+2.3% of all sales, ...)."""
    shares = of_sales(of_all, of_media)
    return f"{gain} ({shares})" if shares else gain


def change(before: float, now: float) -> str:
    """Say how far a channel's money moves: +27%; nothing before and now is no new channel."""
    if before > 0:
        return f"{now / before - 1:+.0%}"
    return "unchanged" if now == before else "new"


def drew(chains: int, draws: int, sampling: float, whole: float) -> str:
    """Say what an attempt to sample drew, of whose whole time the rest is compilation."""
    compiled = seconds(whole - sampling)
    return f"drew {chains} x {draws:,} in {seconds(sampling)} (compiled in {compiled})"


def seconds(time: float) -> str:
    """Return a time as people say it: `3 s`, `2 min 5 s`."""
    if time < 1:
        return "less than 1 s"
    minutes, rest = divmod(round(time), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
