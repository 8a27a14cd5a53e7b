"""What a running process is made of: its data, the audit log, who signs, how it is set up, what time it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from api.actions.audit import Log
from api.actions.payouts import PayoutSigner
from api.identity import Signer
from api.settings import Settings
from schema.store import Store

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class HouseSigner(Signer, PayoutSigner, Protocol):
    """All keys of the house: tokens, payouts, the log; only signatures and public halves come out."""

    @property
    def payout_ca_pem(self) -> bytes: ...

    def vkey(self, origin: str) -> str: ...

    def vkeys(self, origin: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class House:
    """`database_url` is for those who keep a connection of their own: the intake of webhooks."""

    store: Store
    database_url: str
    log: Log
    signer: HouseSigner
    settings: Settings
    clock: Clock = utc_now
