"""What each kind of interaction says about a user's interest.

One topic of interactions holds very different things: a product opened, a list that merely scrolled by, an item taken
out of the cart, a page that shows no item at all. The policy is one table from `event_type` to a role:

- learn: the user chose the item; it enters the window and is learned from with a weight;
- negative: the user turned the item down; it is not to be offered again;
- exposure: the item was only shown; it is counted;
- ignore: nothing here is for a recommender; the record is not even read.

The event names of Google Analytics 4 and of Segment's e-commerce specification have roles already. Events that repeat
what an earlier one said about the same items (checkout steps, an opened cart) are ignored, or every purchase would
teach that an item is followed by itself. A name that nobody listed is learned from with weight 1, because a topic with
names of its own is the rule, not the exception.
"""

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from stream.errors import SettingsError


class Role(Enum):
    """What the recommender does with an interaction."""

    LEARN = "learn"
    NEGATIVE = "negative"
    EXPOSURE = "exposure"
    IGNORE = "ignore"


class Rule(NamedTuple):
    """The role of one `event_type`; `weight` matters to LEARN only."""

    role: Role
    weight: float = 1.0


_LEARN = Rule(Role.LEARN)
_NEGATIVE = Rule(Role.NEGATIVE)

DEFAULTS: Mapping[str, Role] = {
    # Google Analytics 4
    "view_item": Role.LEARN,
    "select_item": Role.LEARN,
    "add_to_cart": Role.LEARN,
    "add_to_wishlist": Role.LEARN,
    "purchase": Role.LEARN,
    "remove_from_cart": Role.NEGATIVE,
    "refund": Role.NEGATIVE,
    "view_item_list": Role.EXPOSURE,
    "view_promotion": Role.EXPOSURE,
    "select_promotion": Role.IGNORE,
    "view_cart": Role.IGNORE,
    "begin_checkout": Role.IGNORE,
    "add_payment_info": Role.IGNORE,
    "add_shipping_info": Role.IGNORE,
    "page_view": Role.IGNORE,
    "screen_view": Role.IGNORE,
    "scroll": Role.IGNORE,
    "user_engagement": Role.IGNORE,
    "session_start": Role.IGNORE,
    "first_visit": Role.IGNORE,
    "search": Role.IGNORE,
    "view_search_results": Role.IGNORE,
    "login": Role.IGNORE,
    "sign_up": Role.IGNORE,
    # Segment, e-commerce specification
    "Product Viewed": Role.LEARN,
    "Product Clicked": Role.LEARN,
    "Product Added": Role.LEARN,
    "Product Added to Wishlist": Role.LEARN,
    "Wishlist Product Added to Cart": Role.LEARN,
    "Product Shared": Role.LEARN,
    "Product Reviewed": Role.LEARN,
    "Order Completed": Role.LEARN,
    "Product Removed": Role.NEGATIVE,
    "Product Removed from Wishlist": Role.NEGATIVE,
    "Order Refunded": Role.NEGATIVE,
    "Product List Viewed": Role.EXPOSURE,
    "Product List Filtered": Role.EXPOSURE,
    "Promotion Viewed": Role.EXPOSURE,
    "Promotion Clicked": Role.IGNORE,
    "Products Searched": Role.IGNORE,
    "Cart Viewed": Role.IGNORE,
    "Cart Shared": Role.IGNORE,
    "Checkout Started": Role.IGNORE,
    "Checkout Step Viewed": Role.IGNORE,
    "Checkout Step Completed": Role.IGNORE,
    "Payment Info Entered": Role.IGNORE,
    "Order Updated": Role.IGNORE,
    "Order Cancelled": Role.IGNORE,
    # Names that many streams share
    "impression": Role.EXPOSURE,
    "skip": Role.NEGATIVE,
    "dislike": Role.NEGATIVE,
}


class EventPolicy:
    """The table of roles: the defaults, with what the settings say on top.

    Parameters
    ----------
    table
        For each `event_type`, written exactly as in the messages, either ``"learn"``, ``"negative"``, ``"exposure"``
        or ``"ignore"``, or a number above 0: learn with that weight.
    negative_below
        Interactions whose `value` is lower are negative where they would have been learned from: low ratings.

    Raises
    ------
    SettingsError
        An entry is none of these.
    """

    def __init__(self, table: Mapping[str, str | float] | None = None, negative_below: float | None = None) -> None:
        self._rules = {name: Rule(role) for name, role in DEFAULTS.items()}
        for name, entry in (table or {}).items():
            self._rules[name] = _rule(name, entry)
        self._negative_below = negative_below
        self.ignored = frozenset(name for name, rule in self._rules.items() if rule.role is Role.IGNORE)

    def judge(self, event_type: str, value: float | None) -> Rule:
        """Return the role and the weight of one interaction."""
        rule = self._rules.get(event_type, _LEARN)
        low = self._negative_below is not None and value is not None and value < self._negative_below
        return _NEGATIVE if low and rule.role is Role.LEARN else rule


def _rule(name: str, entry: str | float) -> Rule:
    """Read one entry of the settings."""
    if isinstance(entry, str) and entry in {role.value for role in Role}:
        return Rule(Role(entry))
    if isinstance(entry, (int, float)) and not isinstance(entry, bool) and 0 < entry < math.inf:
        return Rule(Role.LEARN, float(entry))
    sentence = (
        f"The event {name!r} is set to {entry!r}; set it to a weight above 0, or to one of "
        f"{', '.join(repr(role.value) for role in Role)}."
    )
    raise SettingsError(sentence)
