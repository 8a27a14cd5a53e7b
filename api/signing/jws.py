"""Detached JWS signatures over the payout manifest, and signed tokens.

Decides: the compact form with an empty middle part (RFC 7515 appendix F) under the header
`{"alg":"Ed25519","cty":"json","kid":…,"typ":"JOSE"}`, and whether one fits its content.
Refuses: another algorithm than `Ed25519` (RFC 9864), `crit`, a key that the key set does not hold for signatures.
"""

import json
from collections.abc import Mapping
from typing import Any

from api.signing.keys import Algorithm, Key, Purpose, b64u, from_b64u, verifies_raw
from engine.canonical import canonical_json
from engine.refusal import Code, Refused


def jws_detached(content: bytes, key: Key) -> str:
    header = b64u(canonical_json({"alg": key.algorithm, "cty": "json", "kid": key.kid, "typ": "JOSE"}))
    signature = key.sign(Purpose.PAYOUT_JWS, f"{header}.{b64u(content)}".encode())
    return f"{header}..{b64u(signature)}"


def token(claims: Mapping[str, object], key: Key, purpose: Purpose) -> str:
    """A compact JWT (RFC 7519) of these claims."""
    header = b64u(canonical_json({"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}))
    signed = f"{header}.{b64u(canonical_json(claims))}"
    return f"{signed}.{b64u(key.sign(purpose, signed.encode()))}"


def published(key: Key, **more: object) -> dict[str, object]:
    """The key as a member of a JWK set."""
    return {**key.jwk(), "kid": key.kid, "use": "sig", "alg": key.algorithm.value, **more}


def verify_jws(jws: str, content: bytes, jwks: Mapping[str, Any]) -> str:
    """The kid of the key, when the signature fits these bytes; otherwise refuses."""
    try:
        encoded, middle, tail = jws.strip().split(".")
        header, signature = json.loads(from_b64u(encoded)), from_b64u(tail)
        if middle or not isinstance(header, dict) or header.get("alg") != Algorithm.ED25519 or "crit" in header:
            raise ValueError("its header is not the agreed one")
        kid = header["kid"]
        keys = [each for each in jwks["keys"] if each.get("kid") == kid and each.get("evenhand_status") != "revoked"]
        public_raw = from_b64u(keys[0]["x"]) if keys else b""
        if keys and (keys[0].get("kty"), keys[0].get("crv")) != ("OKP", "Ed25519"):
            raise ValueError("its key is not an Ed25519 key")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as wrong:
        raise _bad(f"The signature or the key set is not one of ours ({type(wrong).__name__}: {wrong}).") from None
    if not keys:
        raise _bad(f"The key {kid} of the signature is not in the key set.")
    if not verifies_raw(Algorithm.ED25519, public_raw, signature, f"{encoded}.{b64u(content)}".encode()):
        raise _bad("The signature does not fit the file.")
    return str(kid)


def _bad(what: str) -> Refused:
    return Refused(
        Code.SIGNATURE_INVALID, what, "Do not process the file; fetch it again and compare the key set's kid."
    )
