"""Who we are to an instance: a user with a password, or an OAuth client with tokens that last half an hour.

Decides when a token is asked for: at 80 % of the life of the one before, or when the instance no longer knows that one.
One caller at a time asks, whoever else needs one waits for it; all connections of this process that use one client
share its token. There is no refresh token in the client credentials grant. Refused: redirects, proxies and .netrc, so
that credentials go nowhere but where the configuration says. Source: OAuth client credentials grant. Seconds are
monotonic.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import httpx
import requests
from requests.auth import AuthBase

from connectors import limits
from connectors.governor import Busy
from connectors.source import SourceRefused

TOKEN_LIFE_SHARE = 0.8
DEFAULT_TOKEN_SECONDS = 1_800.0
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


class Session(requests.Session):
    """Never follows a redirect: credentials do not travel, and a login page stays a 302."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@dataclass(slots=True)
class Token:
    """The token of one client at one instance."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _text: str = field(default="", repr=False)
    _ends_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def current(self) -> str:
        with self._lock:
            if not self._text or self.clock() >= self._ends_at:
                self._ask()
            return self._text

    def forget(self, lost: str) -> None:
        """The instance refused this one. Several callers may say so of the same token; only the first costs one."""
        with self._lock:
            if self._text == lost:
                self._text = ""

    def _ask(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        try:
            answer = httpx.post(f"{self.url.rstrip('/')}/oauth_token.do", data=form, timeout=30, trust_env=False)
        except httpx.TransportError as error:
            raise Busy(f"ServiceNow did not answer the request for a token ({type(error).__name__}).") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            told = limits.servicenow(
                answer.status_code, {"Retry-After": answer.headers.get("Retry-After", "")}, UNDATED
            )
            raise Busy(f"ServiceNow gave no token now ({answer.status_code}).", told=told)
        try:
            given = answer.json()
            text, life = given["access_token"], float(given.get("expires_in", DEFAULT_TOKEN_SECONDS))
            if not isinstance(text, str) or not text or life <= 0:
                raise ValueError
        except (ValueError, KeyError, TypeError) as error:
            raise SourceRefused(
                f"ServiceNow gave no token ({answer.status_code}). Check client id and secret, and that the client "
                "credentials grant is enabled on the instance."
            ) from error
        self._text, self._ends_at = text, self.clock() + TOKEN_LIFE_SHARE * life


@lru_cache(maxsize=64)
def token_of(url: str, client_id: str, client_secret: str) -> Token:
    return Token(url, client_id, client_secret)


class Bearer(AuthBase):
    def __init__(self, token: Token) -> None:
        self._token, self._used = token, ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._used = self._token.current()
        request.headers["Authorization"] = f"Bearer {self._used}"
        return request

    def lost(self) -> None:
        self._token.forget(self._used)
