"""The development signer: all keys in one folder of this machine, good for trying out, never for pay.

Decides: which key signs what, and under which names. It makes its keys at the first start and keeps them.
Refuses: production and every environment that it does not know. There is no override: a production installation brings
its own keys. Log origins must stand under `dev.invalid/`, a name that nobody can own (RFC 2606).
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from api.signing import certificates, cms, jws
from api.signing.checkpoints import SignedLine, checkpoint_note, note_key, sign_head
from api.signing.folder import once, open_folder, open_key
from api.signing.keys import Key, Purpose, has_ml_dsa
from engine.notes import Checkpoint, vkey_text
from engine.refusal import Code, Refused

ENVIRONMENTS = ("development", "test")
ORIGIN_PREFIX = "dev.invalid/"

_log = logging.getLogger("evenhand.signing")


class DevelopmentSigner:
    """Holds the private keys; hands out signatures and public halves only."""

    environment = "development"  # what manifests say, whatever the installation calls itself
    production = False

    def __init__(self, folder: Path, *, environment: str, now: datetime | None = None) -> None:
        if environment not in ENVIRONMENTS:
            raise Refused(
                Code.ACCESS_DENIED,
                f"The development signer does not run in the environment {environment!r}.",
                "Configure production keys, or set the environment to development.",
            )
        _log.warning("DEVELOPMENT SIGNER: keys lie in %s. What they sign is NOT FOR PAY.", folder)
        open_folder(folder)
        purposes = [each for each in Purpose if each is not Purpose.LOG_ML_DSA or has_ml_dsa()]
        self._keys: Mapping[Purpose, Key] = {purpose: open_key(folder, purpose) for purpose in purposes}
        at = (now or datetime.now(UTC)).replace(microsecond=0)
        self._authority = self._certificate(
            folder / "payout-ca.pem",
            lambda: certificates.payout_authority(self._keys[Purpose.PAYOUT_CA], at),
            Purpose.PAYOUT_CA,
        )
        self._signer = self._certificate(
            folder / "payout-cms.pem",
            lambda: certificates.payout_signer(
                self._keys[Purpose.PAYOUT_CMS], self._authority, self._keys[Purpose.PAYOUT_CA], at
            ),
            Purpose.PAYOUT_CMS,
        )

    @property
    def payout_ca_pem(self) -> bytes:
        return self._authority.public_bytes(Encoding.PEM)

    def sign(self, purpose: Purpose, message: bytes) -> bytes:
        """Raw signature with the key of this purpose."""
        return self._keys[purpose].sign(purpose, message)

    def kid(self, purpose: Purpose) -> str:
        return self._keys[purpose].kid

    def cms_detached(self, content: bytes) -> bytes:
        """DER of a `.p7s`, checked as a receiver would before it is handed out."""
        signature = cms.cms_detached(content, self._keys[Purpose.PAYOUT_CMS], self._signer)
        cms.verify_cms(signature, content, self._authority, datetime.now(UTC))
        return signature

    def jws_detached(self, content: bytes) -> str:
        return jws.jws_detached(content, self._keys[Purpose.PAYOUT_JWS])

    def token(self, purpose: Purpose, claims: Mapping[str, object]) -> str:
        """A compact JWT from the key of this purpose."""
        return jws.token(claims, self._keys[purpose], purpose)

    def jwks(self, *purposes: Purpose) -> dict[str, list[dict[str, object]]]:
        """Public keys by which others check us; without arguments those for payout files and downloads."""
        lifetime = {
            "nbf": int(self._signer.not_valid_before_utc.timestamp()),
            "exp": int(self._signer.not_valid_after_utc.timestamp()),
        }
        wanted = purposes or (Purpose.PAYOUT_JWS, Purpose.HTTP)
        return {"keys": [jws.published(self._keys[each], evenhand_status="active", **lifetime) for each in wanted]}

    def vkey(self, origin: str) -> str:
        """The log's Ed25519 key as one line of text."""
        return vkey_text(note_key(self._keys[Purpose.LOG], _development(origin)))

    def vkeys(self, origin: str) -> list[str]:
        return [vkey_text(note_key(key, _development(origin))) for key in self._log_keys()]

    def sign_head(self, checkpoint: Checkpoint, at: datetime) -> list[SignedLine]:
        """Signature lines for a committed head of the log."""
        _development(checkpoint.origin)
        return sign_head(checkpoint, at, self._log_keys())

    def sign_checkpoint(self, origin: str, size: int, root: bytes, at: datetime) -> str:
        """The whole signed note."""
        checkpoint = Checkpoint(origin, size, root)
        return checkpoint_note(checkpoint, [line for _, line in self.sign_head(checkpoint, at)])

    def _log_keys(self) -> list[Key]:
        return [self._keys[each] for each in (Purpose.LOG, Purpose.LOG_ML_DSA) if each in self._keys]

    def _certificate(self, path: Path, make: Callable[[], x509.Certificate], purpose: Purpose) -> x509.Certificate:
        pem = once(path, lambda: make().public_bytes(Encoding.PEM))
        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError:
            certificate = None
        if certificate is None or certificate.public_key() != self._keys[purpose].public:
            raise Refused(
                Code.BAD_INPUT,
                f"{path} is not the certificate of the key beside it.",
                "Restore the folder from a copy, or remove it to start anew.",
            )
        return certificate


def _development(origin: str) -> str:
    if not origin.startswith(ORIGIN_PREFIX):
        raise Refused(
            Code.ACCESS_DENIED,
            f"Development keys do not sign for the log {origin!r}.",
            f"Use an origin under {ORIGIN_PREFIX}, or production keys.",
        )
    return origin
