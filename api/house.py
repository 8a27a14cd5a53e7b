"""What a running process is made of: where the data lies, who signs, what time it is, how it is set up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from api.actions.audit import Log
from api.settings import Settings
from api.signing.keys import Purpose
from schema.store import Store


class Signer(Protocol):
    """The private keys, each for one purpose; only signatures and public halves come out."""

    @property
    def production(self) -> bool:
        """Whether these keys may stand behind real pay and real people."""
        ...

    def sign(self, purpose: Purpose, message: bytes) -> bytes: ...

    def kid(self, purpose: Purpose) -> str: ...

    def jwks(self, *purposes: Purpose) -> dict[str, list[dict[str, object]]]: ...

    def vkeys(self, origin: str) -> list[str]: ...


Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    store: Store
    database_url: str  # for the webhook intake, which keeps connections of its own; secret
    signer: Signer
    log: Log
    settings: Settings
    clock: Clock = utc_now
