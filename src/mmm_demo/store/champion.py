"""What a champion is called, and how a promotion run states which version it makes one."""

import re

from mmm_demo.settings.experiment import SLUG, registered_model_name

CHAMPION = "champion"
PREFIX = registered_model_name("x").removesuffix("x")
ACCEPTED = {"promotion": "accepted"}
PROMOTION_TAGS = {"mmm.kind": "promotion"} | ACCEPTED


def market_of(name: object) -> str | None:
    """Return the market of one of this package's registered models; None for any other name."""
    market = str(name).removeprefix(PREFIX)
    ours = market != str(name) and re.fullmatch(SLUG, market)
    return market if ours else None


def promotion_params(name: str, former: object | None, version: object) -> dict[str, str]:
    """Return the params with which a promotion run states what it moves.

    Parameters
    ----------
    name
        Registered model.
    former
        Number of the champion now; None when there is none.
    version
        Number of the champion to be.
    """
    return {
        "promotion.model": name,
        "promotion.from": "none" if former is None else str(former),
        "promotion.to": str(version),
    }
