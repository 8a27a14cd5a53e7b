"""Keys: one key, one purpose, and no signature leaves before it has been verified with the published half.

Decides: which algorithm each purpose uses and how a key names itself (RFC 7638 thumbprint). Algorithm names follow
RFC 9864 (`Ed25519`), RFC 7518 (`ES256`, raw r || s of 64 bytes) and FIPS 204 (`ML-DSA-44`, empty context).
Refuses: a call for another purpose than the key's own, and a signature that does not verify.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from engine.canonical import canonical_json
from engine.refusal import Code, Refused

try:
    from cryptography.hazmat.primitives.asymmetric import mldsa
except ImportError:  # an older build: the Ed25519 line alone is a complete checkpoint
    mldsa = None  # type: ignore[assignment]


class Algorithm(StrEnum):
    ED25519 = "Ed25519"
    ES256 = "ES256"
    ML_DSA_44 = "ML-DSA-44"


class Purpose(StrEnum):
    LOG = "log"
    LOG_ML_DSA = "log-mldsa44"
    PAYOUT_CA = "payout-ca"
    PAYOUT_CMS = "payout-cms"
    PAYOUT_JWS = "payout-jws"
    HTTP = "http"
    EMBED = "embed"
    EXPORT = "export"
    ISSUER = "issuer"


ALGORITHMS: Mapping[Purpose, Algorithm] = {
    Purpose.LOG: Algorithm.ED25519,
    Purpose.LOG_ML_DSA: Algorithm.ML_DSA_44,
    Purpose.PAYOUT_CA: Algorithm.ES256,
    Purpose.PAYOUT_CMS: Algorithm.ES256,
    Purpose.PAYOUT_JWS: Algorithm.ED25519,
    Purpose.HTTP: Algorithm.ED25519,
    Purpose.EMBED: Algorithm.ED25519,
    Purpose.EXPORT: Algorithm.ED25519,
    Purpose.ISSUER: Algorithm.ES256,
}


class Key:
    """A private key that signs for one purpose only."""

    def __init__(self, purpose: Purpose, private: Any) -> None:
        self.purpose = purpose
        self.algorithm = ALGORITHMS[purpose]
        self._private = private
        if not _FITS[self.algorithm](private):
            raise Refused(
                Code.BAD_INPUT,
                f"The key for {purpose} is not an {self.algorithm} key.",
                "Put back the key file that was made for this purpose.",
            )

    @property
    def public(self) -> Any:
        return self._private.public_key()

    @property
    def public_raw(self) -> bytes:
        """The bytes that notes publish; for Ed25519 and ML-DSA-44 only."""
        raw: bytes = self.public.public_bytes_raw()
        return raw

    @property
    def kid(self) -> str:
        required = {name: value for name, value in self.jwk().items() if name in ("crv", "kty", "x", "y")}
        return b64u(sha256(canonical_json(required)).digest())

    def jwk(self) -> dict[str, str]:
        """The public key as JWK without its name and use."""
        return _JWKS[self.algorithm](self.public)

    def sign(self, purpose: Purpose, message: bytes) -> bytes:
        """Raw signature over the full message, verified before it is returned."""
        self._require(purpose)
        signature = _SIGNERS[self.algorithm](self._private, message)
        if not verifies(self.algorithm, self.public, signature, message):
            raise Refused(
                Code.SIGNATURE_INVALID,
                f"The {self.algorithm} signature for {purpose} does not verify with its own public key.",
                "Stop this machine; its memory or its key is damaged.",
            )
        return signature

    def private_for(self, purpose: Purpose) -> Any:
        """The private key itself, for builders of certificates and CMS that sign inside the cryptography library."""
        self._require(purpose)
        return self._private

    def _require(self, purpose: Purpose) -> None:
        if purpose is not self.purpose:
            raise Refused(
                Code.ACCESS_DENIED,
                f"The key for {self.purpose} does not sign for {purpose}.",
                f"Ask the key for {purpose}.",
            )


def generate(algorithm: Algorithm) -> Any:
    return _GENERATORS[algorithm]()


def has_ml_dsa() -> bool:
    """Whether the cryptography build on this machine knows ML-DSA-44."""
    try:
        return mldsa is not None and bool(mldsa.MLDSA44PrivateKey.generate())
    except UnsupportedAlgorithm:
        return False


def verifies(algorithm: Algorithm, public: Any, signature: bytes, message: bytes) -> bool:
    try:
        _VERIFIERS[algorithm](public, signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verifies_raw(algorithm: Algorithm, public_raw: bytes, signature: bytes, message: bytes) -> bool:
    """Like `verifies`, for a public key in the raw bytes of a note or a JWK."""
    try:
        public = _RAW_KEYS[algorithm](public_raw)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return verifies(algorithm, public, signature, message)


def b64u(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def from_b64u(text: str) -> bytes:
    """Raises ValueError for text that is not the one spelling of its bytes."""
    value = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if b64u(value) != text:
        raise ValueError("not base64url")
    return value


def _sign_es256(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _verify_es256(public: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    if len(signature) != 64:
        raise ValueError("an ES256 signature has 64 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))


def _jwk_es256(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    point = public.public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": b64u(point.x.to_bytes(32, "big")), "y": b64u(point.y.to_bytes(32, "big"))}


_GENERATORS: Mapping[Algorithm, Callable[[], Any]] = {
    Algorithm.ED25519: Ed25519PrivateKey.generate,
    Algorithm.ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.ML_DSA_44: lambda: mldsa.MLDSA44PrivateKey.generate(),
}
_FITS: Mapping[Algorithm, Callable[[Any], bool]] = {
    Algorithm.ED25519: lambda private: isinstance(private, Ed25519PrivateKey),
    Algorithm.ES256: lambda private: (
        isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1)
    ),
    Algorithm.ML_DSA_44: lambda private: isinstance(private, mldsa.MLDSA44PrivateKey),
}
_SIGNERS: Mapping[Algorithm, Callable[[Any, bytes], bytes]] = {
    Algorithm.ED25519: lambda private, message: bytes(private.sign(message)),
    Algorithm.ES256: _sign_es256,
    Algorithm.ML_DSA_44: lambda private, message: bytes(private.sign(message)),
}
_VERIFIERS: Mapping[Algorithm, Callable[[Any, bytes, bytes], None]] = {
    Algorithm.ED25519: lambda public, signature, message: public.verify(signature, message),
    Algorithm.ES256: _verify_es256,
    Algorithm.ML_DSA_44: lambda public, signature, message: public.verify(signature, message),
}
_RAW_KEYS: Mapping[Algorithm, Callable[[bytes], Any]] = {
    Algorithm.ED25519: Ed25519PublicKey.from_public_bytes,
    Algorithm.ML_DSA_44: lambda raw: mldsa.MLDSA44PublicKey.from_public_bytes(raw),
}
_JWKS: Mapping[Algorithm, Callable[[Any], dict[str, str]]] = {
    Algorithm.ED25519: lambda public: {"crv": "Ed25519", "kty": "OKP", "x": b64u(public.public_bytes_raw())},
    Algorithm.ES256: _jwk_es256,
}
