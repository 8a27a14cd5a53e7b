"""Keys, checkpoints and proofs against the published vectors, with real Ed25519 and ML-DSA-44 keys."""

from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engine import notes
from engine.merkle import inclusion_proof, leaf_hash, root_of, verify_inclusion
from engine.notes import Checkpoint, KeyKind, NoteKey, Proof
from engine.refusal import Refused

ORIGIN = "evenhand.example/audit/2026"
VKEY = "evenhand.example/audit/2026+6941624b+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS_VKEY = "witness.example/w1+b72bab2e+BCVDuS/xCVURR2rcg2nbbdyTNmWhGXjdoUBO4QZsqVWd"
LEAVES = [leaf_hash(f"leaf-{i}".encode()) for i in range(7)]
HEAD = Checkpoint(ORIGIN, 7, root_of(LEAVES))
SIGNED_AT = 1_795_251_600
LOG_LINE = (
    "— evenhand.example/audit/2026 "
    "aUFiS5rrafMciEZJ3NBGlkVztwgmElXXKTxrfqvvljJXjS5iApjfLkd0N4dfm1SKsZaUIYqsr8evJV1ybY6nTl4CfAs=\n"
)
WITNESS_LINE = (
    "— witness.example/w1 tyurLgAAAABrAV2QSEbyfG4IK2LW6UVrA54FOD/nMwmJ8oy4NjtP6iH7lMbABXfecXbhoup3rIsWCNXcU3gbfjZUg7gZ"
    "egxIEbkXCg==\n"
)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60)))


def ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def vector_checkpoint() -> str:
    key, text = NoteKey(ORIGIN, KeyKind.ED25519, public(LOG_KEY)), notes.checkpoint_text(HEAD)
    return notes.signed_note(text, [notes.signature_line(key, LOG_KEY.sign(text.encode()))])


def test_the_published_checkpoint_byte_for_byte() -> None:
    checkpoint = vector_checkpoint().encode()
    assert len(checkpoint) == 201
    assert sha256(checkpoint).hexdigest() == "be60f5c72e17099cdfac5ccf34cd551b87cfa16da1903b57da7adb9eb9ffaaa3"
    assert checkpoint.decode().endswith(LOG_LINE)


def test_published_keys_are_written_and_read() -> None:
    log, witness = notes.parse_vkey(VKEY), notes.parse_vkey(WITNESS_VKEY + "\n")
    assert (log.name, log.kind, log.public_key) == (ORIGIN, KeyKind.ED25519, public(LOG_KEY))
    assert (witness.kind, witness.public_key) == (KeyKind.COSIGNATURE_ED25519, public(WITNESS_KEY))
    assert [notes.vkey_text(key) for key in (log, witness)] == [VKEY, WITNESS_VKEY]
    assert log.key_id.hex() == "6941624b"


def test_a_plus_sign_inside_the_key_bytes_does_not_separate() -> None:
    for number in range(200):
        key = NoteKey("dev.invalid/log", KeyKind.ED25519, sha256(bytes([number])).digest())
        assert notes.parse_vkey(notes.vkey_text(key)) == key


def test_a_witness_line_is_the_published_one() -> None:
    text = notes.checkpoint_text(HEAD)
    signature = WITNESS_KEY.sign(notes.cosignature_message(text, SIGNED_AT))
    line = notes.signature_line(notes.parse_vkey(WITNESS_VKEY), SIGNED_AT.to_bytes(8, "big") + signature)
    assert line == WITNESS_LINE
    notes.verify_note(notes.parse_note(notes.signed_note(text, [line])), notes.parse_vkey(WITNESS_VKEY), ed25519)


def test_the_bytes_under_an_ml_dsa_line_are_the_published_ones() -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    private = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(range(0x20, 0x40)))
    key = NoteKey(ORIGIN, KeyKind.ML_DSA_44, private.public_key().public_bytes_raw())
    message = notes.subtree_message(ORIGIN, SIGNED_AT, HEAD)
    assert sha256(key.public_key).hexdigest() == "098600b859a74a77370f560491923a2fed4464b245e8c7aff5255eb28bb3abf1"
    assert key.key_id.hex() == "1fb27046"
    assert message.hex() == (
        "737562747265652f76310a001b6576656e68616e642e6578616d706c652f61756469742f32303236000000006b015d901b6576656e68616e"
        "642e6578616d706c652f61756469742f32303236000000000000000000000000000000070b007fb915eb9b2a146f54b1c86ec53b664f8e45"
        "5b7660b0b6ee13edc0d921c0"
    )
    line = notes.signature_line(key, SIGNED_AT.to_bytes(8, "big") + private.sign(message))
    both = notes.parse_note(notes.signed_note(notes.checkpoint_text(HEAD), [line, LOG_LINE]))

    def mldsa44(public_key: bytes, signature: bytes, signed: bytes) -> bool:
        try:
            mldsa.MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    notes.verify_note(both, key, mldsa44)
    notes.verify_note(both, notes.parse_vkey(VKEY), ed25519)  # the same name stands on two lines


def test_the_published_proof_byte_for_byte_and_that_it_leads_to_the_root() -> None:
    text = notes.proof_text(Proof(5, tuple(inclusion_proof(LEAVES, 5)), vector_checkpoint()))
    assert len(text.encode()) == 368
    assert sha256(text.encode()).hexdigest() == "5763123a4874cf6b031b2ed1056d2838ca36e873d5dfb3698af4064b84c3aafb"
    proof = notes.parse_proof(text)
    note = notes.parse_note(proof.checkpoint)
    notes.verify_note(note, notes.parse_vkey(VKEY), ed25519)
    head = notes.parse_checkpoint(note.text)
    assert head == HEAD
    verify_inclusion(leaf_hash(b"leaf-5"), proof.index, head.size, proof.hashes, head.root)


def test_a_proof_in_a_log_of_one_has_no_hashes_and_extra_data_is_passed_over() -> None:
    text = notes.proof_text(Proof(0, (), "x\n"))
    assert text == "c2sp.org/tlog-proof@v1\nindex 0\n\nx\n"
    assert notes.parse_proof(text.replace("index", "extra AAAA\nindex")) == Proof(0, (), "x\n")


@pytest.mark.parametrize(
    "changed",
    [
        VKEY.replace("6941624b", "6941624c"),
        VKEY.replace("+AQ", "+Ag"),
        VKEY.replace("2026", "2027"),
        VKEY.replace("audit/", "audit /"),
        VKEY[:-1],
        "no key",
        "",
        "a++",
    ],
)
def test_a_key_that_does_not_fit_its_id_is_refused(changed: str) -> None:
    with pytest.raises(Refused):
        notes.parse_vkey(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n8\n"),
        ("evenhand.example/audit/2026\n", "evenhand.example/audit/2027\n"),
        ("CwB", "CwC"),
        ("aUFiS5r", "aUFiS5s"),
    ],
)
def test_a_changed_checkpoint_is_refused(old: str, new: str) -> None:
    changed = vector_checkpoint().replace(old, new, 1)
    assert changed != vector_checkpoint()
    with pytest.raises(Refused):
        notes.verify_note(notes.parse_note(changed), notes.parse_vkey(VKEY), ed25519)


def test_a_failing_line_of_the_key_refuses_the_note_even_beside_a_good_one() -> None:
    forged = notes.signature_line(notes.parse_vkey(VKEY), bytes(64))
    with pytest.raises(Refused):
        notes.verify_note(notes.parse_note(vector_checkpoint() + forged), notes.parse_vkey(VKEY), ed25519)


def test_a_note_without_a_line_of_the_key_is_refused() -> None:
    note = notes.parse_note(notes.signed_note(notes.checkpoint_text(HEAD), [WITNESS_LINE]))
    with pytest.raises(Refused, match="not signed by the key"):
        notes.verify_note(note, notes.parse_vkey(VKEY), ed25519)


@pytest.mark.parametrize(
    "changed",
    [
        "",
        "\n\n",
        "text\n",
        "text\n\nline\n",
        "text\n\n— name\n",
        "text\n\n— name !\n",
        "text\n\n— name AAAA\n",
        "text\n\n" + LOG_LINE[:-1],
        "te\rxt\n\n" + LOG_LINE,
        "text\n\n" + LOG_LINE.replace("—", "-"),
    ],
)
def test_what_is_not_a_note_is_refused(changed: str) -> None:
    with pytest.raises(Refused):
        notes.parse_note(changed)


@pytest.mark.parametrize(
    "changed", ["a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n", "\n1\nAAAA\n", "a\n1\nAAAA"]
)
def test_what_is_not_a_checkpoint_is_refused(changed: str) -> None:
    with pytest.raises(Refused):
        notes.parse_checkpoint(changed)


@pytest.mark.parametrize(
    "changed",
    ["", "c2sp.org/tlog-proof@v1\n\nx", "c2sp.org/tlog-proof@v2\nindex 0\n\nx", "c2sp.org/tlog-proof@v1\nindex 01\n\nx",
     "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx", "c2sp.org/tlog-proof@v1\nindex 0\n"],
)  # fmt: skip
def test_what_is_not_a_proof_is_refused(changed: str) -> None:
    with pytest.raises(Refused):
        notes.parse_proof(changed)
