"""The hash tree under the audit log: roots, and proofs that an outsider can check.

Decides: the root of a list of leaves, the proof that a leaf stands at a position, the proof that an older log is the
beginning of a newer one. Source: RFC 6962 section 2.1 (hashes and proofs), RFC 9162 sections 2.1.3.2 and 2.1.4.2
(checking). Units: a hash is 32 bytes of SHA-256, an index counts from 0, a size counts leaves.
Refuses: hashes of another length, an index outside the tree, proofs with a hash too many or too few, a consistency
claim from size 0 (it proves nothing), a log that shrank, equal sizes with different roots or with a proof.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.refusal import Code, Refused

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"
_ASK_AGAIN = "Do not rely on this record; ask the operator of the log for the proof again."


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """What must be remembered of a tree to append to it: the roots of its full subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise _bad("The remembered edge of the log does not fit its size.")
        _require_hashes(self.peaks)


def append(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> Frontier:
    """The frontier after more leaves; each leaf costs one node hash on average, however large the tree is."""
    size, peaks = frontier.size, list(frontier.peaks)
    for leaf in leaf_hashes:
        if len(leaf) != HASH_BYTES:
            raise _bad("A leaf hash is not 32 bytes long.")
        node, full = leaf, size
        while full & 1:  # each trailing one bit of the old size is a full subtree of the same height as this node
            node = sha256(_NODE + peaks.pop() + node).digest()
            full >>= 1
        peaks.append(node)
        size += 1
    return Frontier(size, tuple(peaks))


def root(frontier: Frontier) -> bytes:
    if not frontier.peaks:
        return EMPTY_ROOT
    node = frontier.peaks[-1]
    for peak in reversed(frontier.peaks[:-1]):
        node = node_hash(peak, node)
    return node


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    return root(append(Frontier(), leaf_hashes))


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from one leaf up to the root of these leaves."""
    if not 0 <= index < len(leaf_hashes):
        raise _bad(f"There is no leaf {index} in a log of size {len(leaf_hashes)}.")
    low, high, proof = 0, len(leaf_hashes), []
    while high - low > 1:
        split = low + _split(high - low)
        if index < split:
            proof.append(root_of(leaf_hashes[split:high]))
            high = split
        else:
            proof.append(root_of(leaf_hashes[low:split]))
            low = split
    return proof[::-1]


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show the first `old_size` leaves as the beginning of all these leaves."""
    if not 0 < old_size <= len(leaf_hashes):
        raise _bad(f"No consistency can be shown from size {old_size} to size {len(leaf_hashes)}.")
    low, high, proof = 0, len(leaf_hashes), []
    while high != old_size:
        split = low + _split(high - low)
        if old_size <= split:
            proof.append(root_of(leaf_hashes[split:high]))
            high = split
        else:
            proof.append(root_of(leaf_hashes[low:split]))
            low = split
    if low:  # the old tree is not itself a node of the new one, so its last subtree opens the proof
        proof.append(root_of(leaf_hashes[low:high]))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Returns when the leaf hash stands at `index` of the tree with this root; otherwise refuses."""
    _require_hashes([leaf, expected_root, *proof])
    if not 0 <= index < size:
        raise _bad(f"Index {index} is not inside a log of size {size}.")
    node, position, last = leaf, index, size - 1
    for beside in proof:
        if last == 0:
            raise _bad("The proof has too many hashes.")
        if position & 1 or position == last:
            node = node_hash(beside, node)
            while not position & 1 and position:  # the right edge of the tree skips levels without a neighbour
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, beside)
        position, last = position >> 1, last >> 1
    if last:
        raise _bad("The proof has too few hashes.")
    if node != expected_root:
        raise _bad("The proof does not lead to the root.")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Returns when the old tree is the beginning of the new one; otherwise refuses."""
    _require_hashes([old_root, new_root, *proof])
    if not 0 < old_size <= new_size:
        raise _bad(f"A log of size {new_size} cannot be shown to continue one of size {old_size}.")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise _bad("Two logs of equal size must have equal roots and need no proof.")
        return
    # A power of two is a whole subtree of the new log: the old root itself is the first hash.
    hashes = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not hashes:
        raise _bad("The proof has too few hashes.")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            raise _bad("The proof has too many hashes.")
        if position & 1 or position == last:
            old_node, new_node = node_hash(beside, old_node), node_hash(beside, new_node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, beside)
        position, last = position >> 1, last >> 1
    if last:
        raise _bad("The proof has too few hashes.")
    if old_node != old_root or new_node != new_root:
        raise _bad("The proof does not lead to both roots.")


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _require_hashes(hashes: Iterable[bytes]) -> None:
    # Before any hashing: two hashes of 31 and 33 bytes would otherwise join to the same node as two of 32.
    if any(len(each) != HASH_BYTES for each in hashes):
        raise _bad("A hash in this proof is not 32 bytes long.")


def _bad(what: str) -> Refused:
    return Refused(Code.PROOF_INVALID, what, _ASK_AGAIN)
