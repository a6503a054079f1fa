"""What the DT Mart files leave open, decided so that no money is lost or counted twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CHANNELS = (  # as the files name them, without their quirks
    *("TV", "Digital", "Sponsorship", "Content Marketing", "Online marketing", "Affiliates"),
    *("SEM", "Radio", "Other"),
)
SPARSE_CHANNELS = ("Radio", "Other")  # empty in 9 of 12 months
DATE, TARGET, HOLE = "Week", "Sales", "RecordingHole"
CONTROLS = ("SaleDays", "DiscountShare", "NPS")
CHOICES = {"august": ("indicator", "start_after"), "radio_other": ("drop", "zero")}


def _default_groups() -> dict[str, tuple[str, ...]]:
    return {
        "TV": ("TV",),
        "Sponsorship": ("Sponsorship",),
        "Digital": ("Digital", "SEM", "Content Marketing"),
        "Online": ("Online marketing", "Affiliates"),
    }


@dataclass(frozen=True)
class DtMartOptions:
    """What the files leave open.

    Attributes
    ----------
    august
        What to do with a hole in the records: mark its weeks in the column RecordingHole, or
        start the table after it.
    groups
        Channels of the table, and the channels of the files that each adds up; members of one
        group move together too closely to be told apart.
    radio_other
        Radio and Other are empty in nine months. `drop` leaves both out and reports the money;
        `zero` takes an empty cell for no spend and keeps them, each alone unless grouped.

    Raises
    ------
    ValueError
        When an option is not one of its choices, or a channel is in no group, in two, or unknown.
    """

    august: Literal["indicator", "start_after"] = "indicator"
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=_default_groups)
    radio_other: Literal["drop", "zero"] = "drop"

    def __post_init__(self) -> None:
        """Refuse options under which money would be lost or counted twice."""
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        if text := [name for name, members in self.groups.items() if isinstance(members, str)]:
            raise ValueError(f"groups.{text[0]} must list channels, got {self.groups[text[0]]!r}")
        groups = {name: tuple(members) for name, members in self.groups.items()}
        if self.radio_other == "zero":
            members = {channel for group in groups.values() for channel in group}
            groups |= {name: (name,) for name in SPARSE_CHANNELS if name not in members}
        object.__setattr__(self, "groups", groups)
        if faults := _group_faults(groups, self.channels):
            raise ValueError("; ".join(faults))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the files that the table takes up."""
        dropped = SPARSE_CHANNELS if self.radio_other == "drop" else ()
        return tuple(name for name in CHANNELS if name not in dropped)


def _group_faults(groups: Mapping[str, tuple[str, ...]], channels: tuple[str, ...]) -> list[str]:
    members = [channel for group in groups.values() for channel in group]
    taken = {DATE, TARGET, HOLE, *CONTROLS} & set(groups)
    faults = {
        "these are columns of the table already": sorted(taken),
        "these groups are empty": [name for name, group in groups.items() if not group],
        "these channels are in two groups": sorted({c for c in members if members.count(c) > 1}),
        "these channels are in no group, and their money would be lost": [
            channel for channel in channels if channel not in members
        ],
        f"these are not among the channels {', '.join(channels)} (radio_other: zero adds "
        f"{' and '.join(SPARSE_CHANNELS)})": [c for c in members if c not in channels],
    }
    return [f"groups: {why}: {', '.join(names)}" for why, names in faults.items() if names]
