"""Tokens that were found right are not checked again while they last.

Decides: how long a finding holds: from the moment of the check until the token itself says it ends; the 30 s of grace
after that are checked each time. Kept is the hash of the token, never the token, and what it claims. Whether its person
is still here is no part of it: the database is asked that with every request.
"""

from collections import OrderedDict
from datetime import datetime
from hashlib import sha256

from api import identity
from api.identity import Claims, Trust

KEPT_MAX = 10_000


class Verified:
    """Of one kind of token, in one process; the oldest finding goes first."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._known: OrderedDict[bytes, tuple[float, Claims]] = OrderedDict()

    def claims(self, token: str, now: datetime) -> Claims:
        """What the token claims; refused like identity.verify."""
        name, at = sha256(token.encode()).digest(), now.timestamp()
        checked_at, claims = self._known.get(name, (at, None))
        if claims is not None and checked_at <= at < claims.more["exp"]:
            return claims
        found = identity.verify(token, self._trust, now)
        self._known[name] = at, found
        if len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)
        return found
