"""What the measures of a weekly table mean, in sentences with numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.settings.wording import amount, join_words, number_of, some, span
from mmm_demo.sources import explore_measures as measure
from mmm_demo.tables.records import ALMOST_NONE

ENOUGH = 10.0  # observations per parameter below which priors matter, by a common rule of thumb
STILL = 2.0  # weeks per level from which on spend stands still rather than varies by the week
MANY_LEVELS = 30  # ten for each of a channel's three parameters
FEW_AMOUNTS = 4  # a saturation curve through so few points can have any shape between them
HIGH_VIF, HIGH_CONDITION = 10.0, 30.0
SHOWN = 4


def length(weeks: pd.Series, missing: Sequence[pd.Timestamp], parameters: int) -> Iterator[str]:
    """Hold the number of weeks against that of the parameters."""
    ratio = len(weeks) / parameters
    gaps = number_of(len(missing), "week") if missing else "none"
    few = f", fewer than {ENOUGH:.0f}, so the priors will matter" if ratio < ENOUGH else ""
    yield (
        f"{len(weeks)} weeks ({span([*weeks])}, {gaps} "
        f"missing) have to tell {parameters} parameters: {ratio:.1f} weeks per parameter{few}."
    )


def levels(channels: pd.DataFrame, weeks: int) -> Iterator[str]:
    """Say where spend stands still, and where it varies."""
    still = channels["weeks_per_level"] >= STILL
    still &= channels["monthly"] | (channels["levels"] < MANY_LEVELS)
    for monthly, kind in channels[still].groupby("monthly", sort=False):
        counts = [
            f"{join_words(group['channel'])} {_has(group)} {number}"
            for number, group in kind.groupby("levels", sort=False)
        ]
        ends = sorted({f"{kind['weeks_per_level'].agg(end):.1f}" for end in ("min", "max")})
        yield (
            f"{'; '.join(counts)} distinct spend levels in {weeks} weeks, standing still for "
            f"{' to '.join(ends)} weeks on average: the weekly pattern of spend carries no "
            f"information beyond {'the months' if monthly else 'these steps'}, so adstock and "
            "saturation will largely follow the priors."
        )
    few = channels["amounts"] <= FEW_AMOUNTS
    for number, group in channels[few].groupby("amounts", sort=False):
        named = f"{join_words(group['channel'])} {_has(group)}"
        yield (
            f"{named} only {number_of(number, 'different amount')} of weekly spend: the data show "
            "these points of the saturation curve, not its shape between them."
        )
    free = channels[~still & ~few]
    if len(free):
        listed = join_words([f"{row.channel} {row.levels}" for row in free.itertuples()])
        yield (
            f"Spend varies from week to week (distinct levels in {weeks} weeks: {listed}), so the "
            "data can speak about adstock and saturation there."
        )


def joint_levels(observations: int, parameters: int, channels: int) -> Iterator[str]:
    """Hold the settings of all channels together against the media parameters."""
    ratio = observations / parameters
    few = (
        f", fewer than {ENOUGH:.0f}, so these curves lean on their priors" if ratio < ENOUGH else ""
    )
    yield (
        f"All channels together were set {number_of(observations, 'time')}: "
        f"{number_of(observations, 'effective media observation')} for {parameters} media "
        f"parameters (adstock, saturation and effect of {number_of(channels, 'channel')}), "
        f"{ratio:.1f} per parameter{few}."
    )


def separation(pairs: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[str]:
    """Say which channels, and which contrasts of channels, can be told apart."""
    pairs = pairs[pairs["kind"] == "channels"]
    close = {name: pairs[pairs["verdict"] == name] for name in pairs["verdict"].unique()}
    if measure.CANNOT in close:
        named = _pairs(close[measure.CANNOT])
        yield f"Cannot be told apart (|correlation| above {measure.INSEPARABLE:g}): {named}."
    lost = contrasts.loc[contrasts["verdict"] == measure.CANNOT, "contrast"]
    if len(lost):
        yield (
            f"Not identified by this data: {'; '.join(lost)}. Where channels rise and fall "
            "together, the data tell the sum of their effects, not which of them earned it; group "
            "them."
        )
    if measure.HARD in close:
        limits = f"{measure.HARDLY:g} to {measure.INSEPARABLE:g}"
        yield f"Hardly told apart (|correlation| {limits}): {_pairs(close[measure.HARD])}."
    if measure.CAN in close:
        number, top = len(close[measure.CAN]), _pairs(close[measure.CAN].head(1))
        which = "The other" if len(close) > 1 else "All" if number > 1 else "The only"
        pairs = "pair" if number == 1 else f"{number} pairs"
        yield f"{which} {pairs} of channels can be told apart; closest by correlation: {top}."


def collinearity(channels: pd.DataFrame, condition: float) -> Iterator[str]:
    """Say how much the channels blur each other."""
    made = channels.loc[np.isinf(channels["vif"]), "channel"]
    if len(made):
        yield (
            f"Exactly collinear, with an infinite VIF: {join_words(made)}; each is made up of the "
            "others, so merge them or drop one."
        )
    elif len(channels) > 1:
        names = ["vif", "vif_with_controls"]
        parts = [_worst(channels, name) for name in names]
        given = f"; given the controls as well, {parts[1]}" if parts[1] != parts[0] else ""
        yield (
            f"Largest VIF {parts[0]}{given} (above {HIGH_VIF:.0f} is high). Condition number of "
            f"the channels {condition:.1f} (above {HIGH_CONDITION:.0f} is high)."
        )


def _worst(channels: pd.DataFrame, name: str) -> str:
    row = channels.loc[channels[name].idxmax()]
    value = "infinite" if np.isinf(row[name]) else f"{row[name]:,.1f}"
    return f"{value} for {row['channel']}"


def confounding(pairs: pd.DataFrame) -> Iterator[str]:
    """Name the channels that move with a control."""
    mixed = pairs[(pairs["kind"] != "channels") & (pairs["verdict"] != measure.CAN)]
    if len(mixed):
        yield (
            f"Channels that move with a control: {_pairs(mixed)}; an effect of one can be credited "
            "to the other."
        )


def effects(table: pd.DataFrame, target: str) -> Iterator[str]:
    """Say what the target did in weeks with an indicator or count."""
    for row in table.itertuples():
        more = "more" if row.difference >= 0 else "less"
        yield (
            f"{number_of(row.weeks_with, 'week')} with {row.control} "
            f"{'has' if row.weeks_with == 1 else 'average'} "
            f"{_relative(row.difference, row.mean_without)} {more} {target} than the "
            f"{row.weeks_without} without{_span(row)}; nothing else is accounted for."
        )


def _relative(gap: float, base: float) -> str:
    return f"{abs(gap / base):.0%}" if base else amount(abs(gap))


def _span(row: Any) -> str:
    if not np.isfinite(row.lower_94):
        return ", too few weeks for an interval"
    scale = row.mean_without or 1.0
    ends = [
        f"{end / scale:+.0%}" if row.mean_without else amount(end)
        for end in (row.lower_94, row.upper_94)
    ]
    chance = ", which may be chance" if row.lower_94 <= 0 <= row.upper_94 else ""
    return f" (94 % interval {' to '.join(ends)}){chance}"


def outliers(found: pd.DataFrame) -> Iterator[str]:
    """Name the outlying weeks of the target, and count those of the channels."""
    far = found[found["kind"] != measure.HOLE]
    rows = far[far["role"] == "target"].sort_values("robust_z", key=np.abs, ascending=False)
    if len(rows):
        weeks = [
            f"{row.week:%Y-%m-%d} ({amount(row.value)}{row.marked_by and '; '}{row.marked_by})"
            for row in rows.itertuples()
        ]
        number = number_of(len(rows), "outlier")
        yield (
            f"{rows['column'].iloc[0]} has {number} (robust z above {measure.OUTLIER_Z:g}): "
            f"{some(weeks, SHOWN)}."
        )
    counts = far.loc[far["role"] == "channel", "column"].value_counts(sort=False)
    if len(counts):
        listed = join_words([f"{name} {number}" for name, number in counts.items()])
        yield f"Weeks of outlying spend (robust z above {measure.OUTLIER_Z:g}): {listed}."


def holes(
    found: pd.DataFrame, marks: Sequence[str], with_them: pd.Series, without: pd.Series
) -> Iterator[str]:
    """Name the weeks of almost no target, and what they would do to its correlations.

    Parameters
    ----------
    found
        Outlying weeks.
    marks
        Controls that mark just these weeks.
    with_them, without
        Correlation of the target with each channel, with these weeks and without.
    """
    empty = found[found["kind"] == measure.HOLE]
    if empty.empty:
        return
    target, most = empty["column"].iloc[0], str((without - with_them).abs().idxmax())
    weeks = some([f"{week:%Y-%m-%d}" for week in empty["week"]], SHOWN)
    marked = f"marked by {join_words(marks)}" if marks else "no control marks just these weeks"
    yield (
        f"{number_of(len(empty), 'week')} {_has(empty)} almost no {target} (below "
        f"{ALMOST_NONE:.0%} of the median): {weeks}; {marked}. A hole in the records is no "
        f"low demand, so correlations and comparisons of {target} leave them out (with them, its "
        f"correlation with {most} would be {with_them[most]:.2f} instead of {without[most]:.2f})."
    )


def _pairs(pairs: pd.DataFrame) -> str:
    told = [f"{p.first} and {p.second} ({p.correlation:.2f})" for p in pairs.itertuples()]
    return some(told, SHOWN)


def _has(rows: pd.DataFrame) -> str:
    return "has" if len(rows) == 1 else "have"
