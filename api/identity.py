"""Who is calling: bearer tokens, checked before anything is believed.

Decides: what a token must look like (RFC 9068, RFC 8725), and whom it names. The token says who; roles come from the
database. Our own checks of header and claims run first, then joserfc checks the signature against the one key that the
issuer published under this name. Times are seconds since 1970; the clock is an argument.
Refuses: with one answer for every reason, so that nobody learns which check failed; the reason goes to the log.

The development issuer signs with a key of this installation. It stands in for a real OpenID provider and refuses to
run in production.
"""

import binascii
import json
import logging
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.signing.keys import ALGORITHMS, Purpose, b64u
from engine.canonical import canonical_json
from engine.refusal import Code, Refused
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, Store, Viewer

ISSUER = "https://dev.invalid/evenhand"
AUDIENCE = "evenhand"
EMBED_AUDIENCE = "embed"
EXPORT_AUDIENCE = "export"
EXPORT_SECONDS = 900
LEEWAY_SECONDS = 30
SERVICE_SECONDS = 600
SCOPES = ("scim:write",)
TOKEN_MAX_BYTES = 8192
NESTING_MAX = 16
KEY_SOURCES = ("jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64")

_log = logging.getLogger("evenhand.identity")


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


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens we take, for what. `keys` are the issuer's public keys by name."""

    issuer: str
    audience: str
    algorithm: str
    types: tuple[str, ...]
    lifetime_seconds: int
    keys: Mapping[str, ECKey | OKPKey]


@dataclass(frozen=True, slots=True)
class Claims:
    """A token that passed. `more` holds the claims of its kind."""

    subject: str
    more: Mapping[str, Any]


def access_trust(signer: Signer) -> Trust:
    """What we accept at the API while the development issuer stands in."""
    keys = _keys(signer, Purpose.ISSUER, ECKey)
    return Trust(ISSUER, AUDIENCE, "ES256", ("at+jwt", "application/at+jwt"), 3600, keys)


def embed_trust(signer: Signer) -> Trust:
    """What we accept below /embed/: our own tokens for one person, one resource, one page."""
    keys = _keys(signer, Purpose.EMBED, OKPKey)
    return Trust(ISSUER, EMBED_AUDIENCE, "Ed25519", ("embed+jwt",), 300, keys)


def export_trust(signer: Signer) -> Trust:
    """What we accept in the address of a file: our own word that this person may fetch this one."""
    keys = _keys(signer, Purpose.EXPORT, OKPKey)
    return Trust(ISSUER, EXPORT_AUDIENCE, "Ed25519", ("export+jwt",), EXPORT_SECONDS, keys)


def mint(signer: Signer, person_id: UUID, now: datetime, lifetime_seconds: int = 3600) -> str:
    """A development token for this person."""
    _not_in_production(signer)
    return signed(signer, Purpose.ISSUER, "at+jwt", AUDIENCE, now, lifetime_seconds, {"sub": str(person_id)})


def mint_service(signer: Signer, scope: str, now: datetime, tenant: UUID = DEFAULT_TENANT) -> str:
    """A development token for a service account: it names a tenant and what it may do, and no person."""
    _not_in_production(signer)
    if scope not in SCOPES:
        raise Refused(Code.BAD_INPUT, "There is no such scope.", f"Choose one of: {', '.join(SCOPES)}.")
    more = {"sub": f"service:{scope}", "scope": scope, "tenant": str(tenant)}
    return signed(signer, Purpose.ISSUER, "at+jwt", AUDIENCE, now, SERVICE_SECONDS, more)


def signed(
    signer: Signer,
    purpose: Purpose,
    kind: str,
    audience: str,
    now: datetime,
    lifetime_seconds: int,
    more: Mapping[str, str],
) -> str:
    """A compact JWT of our own."""
    at = int(now.timestamp())
    claims = {"iss": ISSUER, "aud": audience, "iat": at, "exp": at + lifetime_seconds, "jti": str(uuid4()), **more}
    header = {"alg": ALGORITHMS[purpose].value, "kid": signer.kid(purpose), "typ": kind}
    message = f"{b64u(canonical_json(header))}.{b64u(canonical_json(claims))}"
    return f"{message}.{b64u(signer.sign(purpose, message.encode()))}"


def verify(token: str, trust: Trust, now: datetime) -> Claims:
    """The claims of a token that is right in everything; otherwise UNAUTHENTICATED."""
    try:
        header, claims = _parts(token)
        key = _key(header, trust)
        _check_claims(claims, trust, now.timestamp())
        jws.deserialize_compact(token, key, algorithms=[trust.algorithm])
    except Exception as wrong:
        # Every kind of failure is one refusal: a hostile token must not reach an error page of its own.
        _log.info("token refused: %s", wrong if isinstance(wrong, _Wrong) else type(wrong).__name__)
        raise unauthenticated() from None
    return Claims(claims["sub"], claims)


KNOWN = text("select app.member()")


async def viewer(store: Store, claims: Claims, request_id: str = "") -> Viewer:
    """The person that a token names, if he is known and active or holds a grant; otherwise UNAUTHENTICATED."""
    found = subject(claims, request_id)
    async with store.begin(DbRole.APP, found, read_only=True) as connection:
        await require_known(connection)
    return found


def service(claims: Claims, scope: str, request_id: str = "", tenant: UUID = DEFAULT_TENANT) -> Viewer:
    """For whom a service account works: nobody, in its tenant. It needs the scope, and a token made for this tenant.

    A scope is never a role: whoever brings one decides nothing and stands for no person.
    """
    scopes = claims.more.get("scope")
    if not isinstance(scopes, str) or scope not in scopes.split():
        raise Refused(
            Code.ACCESS_DENIED, f"This needs the scope {scope}.", "Use the token of a service account that has it."
        )
    if claims.more.get("tenant") != str(tenant):
        _log.info("token refused: made for another tenant")
        raise unauthenticated()
    return Viewer(tenant_id=tenant, request_id=request_id)


def subject(claims: Claims, request_id: str = "") -> Viewer:
    try:
        return Viewer(person_id=UUID(claims.subject), request_id=request_id)
    except ValueError:
        raise unauthenticated() from None


async def require_known(connection: AsyncConnection) -> None:
    """Refuse unless the viewer of this transaction is somebody who is here."""
    if not (await connection.execute(KNOWN)).scalar():
        raise unauthenticated()


def bearer(headers: list[tuple[bytes, bytes]]) -> str:
    """The token of exactly one Authorization header; BAD_INPUT for several, UNAUTHENTICATED for none."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) > 1:
        raise Refused(Code.BAD_INPUT, "The request has more than one Authorization header.", "Send exactly one.")
    scheme, _, token = (found[0] if found else b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise unauthenticated()
    return token.decode("latin-1")


def unauthenticated() -> Refused:
    return Refused(
        Code.UNAUTHENTICATED, "The token is missing or not accepted.", "Send a valid token: Authorization: Bearer …"
    )


def _not_in_production(signer: Signer) -> None:
    if signer.production:
        raise Refused(
            Code.ACCESS_DENIED,
            "The development issuer does not run in production.",
            "Get a token from your identity provider.",
        )


class _Wrong(Exception):
    """Why a token is refused; for the log alone."""


def _require(good: bool, why: str) -> None:
    if not good:
        raise _Wrong(why)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    _require(token.isascii() and len(token) <= TOKEN_MAX_BYTES, "too long or not ASCII")
    parts = token.split(".")
    _require(len(parts) == 3 and all(parts), "not three parts")
    _decoded(parts[2])
    return _object(_decoded(parts[0])), _object(_decoded(parts[1]))


def _decoded(part: str) -> bytes:
    try:
        value = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise _Wrong("not base64url") from None
    _require(b64u(value) == part, "base64url in another spelling")
    return value


def _object(raw: bytes) -> dict[str, Any]:
    depth = deepest = 0
    for mark in raw:  # brackets inside strings count too: a sane token has neither
        depth += (mark in b"[{") - (mark in b"]}")
        deepest = max(deepest, depth)
    _require(deepest <= NESTING_MAX, "nested too deep")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _require(len({name for name, _ in pairs}) == len(pairs), "a member stands twice")
        return dict(pairs)

    def no_constant(_: str) -> None:
        raise _Wrong("not a JSON number")

    found = json.loads(raw.decode(), object_pairs_hook=once, parse_constant=no_constant)
    _require(isinstance(found, dict), "not an object")
    return dict(found)


def _key(header: Mapping[str, Any], trust: Trust) -> ECKey | OKPKey:
    _require(not any(name in header for name in KEY_SOURCES), "brings its own key, or an extension")
    alg, kind, kid = header.get("alg"), header.get("typ"), header.get("kid")
    _require(alg == trust.algorithm, "algorithm")
    _require(isinstance(kind, str) and kind.lower() in trust.types, "type")
    _require(isinstance(kid, str) and kid in trust.keys, "unknown key")
    return trust.keys[str(kid)]


def _check_claims(claims: Mapping[str, Any], trust: Trust, now: float) -> None:
    _require(claims.get("iss") == trust.issuer, "issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    _require(trust.audience in named and all(isinstance(each, str) for each in named), "audience")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    _require(now < expires + LEEWAY_SECONDS, "expired")
    _require(issued <= now + LEEWAY_SECONDS, "from the future")
    _require(0 < expires - issued <= trust.lifetime_seconds, "lives too long")
    if "nbf" in claims:
        _require(_seconds(claims, "nbf") <= now + LEEWAY_SECONDS, "not yet valid")
    who = claims.get("sub")
    _require(isinstance(who, str) and bool(who), "no subject")


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    _require(isinstance(value, int | float) and not isinstance(value, bool), f"{name} is not a number")
    return float(value)  # type: ignore[arg-type]


def _keys(signer: Signer, purpose: Purpose, kind: type[ECKey] | type[OKPKey]) -> dict[str, ECKey | OKPKey]:
    members = ("kty", "crv", "x", "y", "kid")
    published = signer.jwks(purpose)["keys"]
    return {
        str(jwk["kid"]): kind.import_key({name: str(jwk[name]) for name in members if name in jwk}) for jwk in published
    }
