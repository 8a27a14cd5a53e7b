"""The hash tree against the published vectors and against the definition of RFC 6962 written out naively."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import merkle
from engine.refusal import Code, Refused

LEAVES = [merkle.leaf_hash(f"leaf-{i}".encode()) for i in range(8)]
LEAF_HASHES = [
    "305df59f9590c3c9ac63d2b2743c388e3792449078cebf7fb3dbe6471643b2b7",
    "3145c409f259b7c53e32036090ff76751025a2498ba9823ef718cac50b4e616f",
    "fca89f57c9f8c8eb4047a7ff9d333acf9e0f3384b20b255bceab0f216dcca267",
    "f76836325aec5699d8d71f8e42e9d47c5c29b08059ba296384f7ca40ad3a40ae",
    "ea9fc1a1b6e191b460d0d6306e3e870c173f39330f13cda1b70cfc72bdc398ba",
    "8f1593cb92f429d9340b9bbc1f0bb122adf8026c42a4a42142e2168931727236",
    "676f3782f5b3a5fb4370ed49572cedc523f4a66322269c85f2af0509d17b0a4d",
    "060242692909024231d050c5d4434146ba77da322d450286f577c9f951615d53",
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "305df59f9590c3c9ac63d2b2743c388e3792449078cebf7fb3dbe6471643b2b7",
    2: "60a53eed0de87a90c8e59427c59c46253c33a76a09502a51801300927b7e6bdc",
    3: "cf763a041c81ceef1578a6083f75c61bef2e0014f2a3e683a97fcfca5be7f19a",
    4: "bdd1c5ff55b19cb6b0e7c761bf9a6ccaa27fbbfc07b74f1fabb6e911a0bd2ab3",
    7: "0b007fb915eb9b2a146f54b1c86ec53b664f8e455b7660b0b6ee13edc0d921c0",
    8: "ca6b7b3e674ac86c1027b59c87c064fc3bc27b313294c75f83bd05fdd13f0dcf",
}


def root(size: int) -> bytes:
    return bytes.fromhex(ROOTS[size])


def test_leaf_hashes_and_roots_are_the_published_ones() -> None:
    assert [leaf.hex() for leaf in LEAVES] == LEAF_HASHES
    assert {size: merkle.root_of(LEAVES[:size]).hex() for size in ROOTS} == ROOTS


def test_proofs_are_the_published_ones() -> None:
    beside_6 = bytes.fromhex("985bb5d36b927800876871da925a7e82abe83a9ddba5882920a007a55ea2b376")
    last_of_7 = bytes.fromhex("8eae6bd3b3a07f1f75ee72a531629e6eb31e42e62f760e47de52a53c3641ef23")
    right_of_8 = bytes.fromhex("f58aaab46122102d66b00c5eb50b13dd763b5f800139b424fda8b1cacae1408a")
    assert merkle.inclusion_proof(LEAVES[:7], 5) == [LEAVES[4], LEAVES[6], root(4)]
    assert merkle.inclusion_proof(LEAVES[:7], 6) == [beside_6, root(4)]
    assert merkle.consistency_proof(LEAVES[:7], 3) == [LEAVES[2], LEAVES[3], root(2), last_of_7]
    assert merkle.consistency_proof(LEAVES, 4) == [right_of_8]


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def numbered(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(i).encode()) for i in range(size)]


@given(st.integers(0, 300), st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=60, deadline=None)
def test_appending_in_any_batches_gives_the_root_of_the_definition(size: int, cuts: list[int]) -> None:
    leaves, frontier = numbered(size), merkle.Frontier()
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    for low, high in pairwise(edges):
        frontier = merkle.append(frontier, leaves[low:high])
    assert frontier.size == size
    assert merkle.root(frontier) == naive_root(leaves)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_every_honest_proof_is_accepted_and_every_changed_one_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 140))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    leaves = numbered(size)
    proof, chain = merkle.inclusion_proof(leaves, index), merkle.consistency_proof(leaves, old)
    now, before = naive_root(leaves), naive_root(leaves[:old])
    merkle.verify_inclusion(leaves[index], index, size, proof, now)
    merkle.verify_consistency(old, size, chain, before, now)

    def flip(value: bytes) -> bytes:
        return bytes([value[0] ^ 1]) + value[1:]

    def damaged(hashes: list[bytes]) -> list[list[bytes]]:
        flipped = [[*hashes[:i], flip(one), *hashes[i + 1 :]] for i, one in enumerate(hashes)]
        return [*flipped, [*hashes, now], [now, *hashes]] + ([hashes[:-1], hashes[1:]] if hashes else [])

    for wrong in damaged(proof):
        with pytest.raises(Refused):
            merkle.verify_inclusion(leaves[index], index, size, wrong, now)
    for wrong in damaged(chain):
        with pytest.raises(Refused):
            merkle.verify_consistency(old, size, wrong, before, now)
    with pytest.raises(Refused):
        merkle.verify_inclusion(flip(leaves[index]), index, size, proof, now)
    with pytest.raises(Refused):
        merkle.verify_consistency(old, size, chain, flip(before), now)
    with pytest.raises(Refused):
        merkle.verify_consistency(old, size, chain, before, flip(now))


@pytest.mark.parametrize(
    ("old", "new", "proof", "old_root", "new_root"),
    [
        (0, 7, [], merkle.EMPTY_ROOT, root(7)),
        (0, 0, [], merkle.EMPTY_ROOT, merkle.EMPTY_ROOT),
        (8, 7, [], root(8), root(7)),
        (7, 7, [root(4)], root(7), root(7)),
        (7, 7, [], root(7), root(8)),
        (4, 8, [], root(4), root(8)),
        (3, 7, [], root(3), root(7)),
        (7, 7, [], root(7)[:12], root(7)[:12]),
        (4, 8, [root(4)[:31]], root(4), root(8)),
        (-1, 7, [], root(1), root(7)),
    ],
)
def test_consistency_claims_that_prove_nothing_are_refused(
    old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes
) -> None:
    with pytest.raises(Refused) as no:
        merkle.verify_consistency(old, new, proof, old_root, new_root)
    assert no.value.code is Code.PROOF_INVALID


@pytest.mark.parametrize(
    ("leaf", "index", "size", "proof"),
    [
        (LEAVES[0], 7, 7, []),
        (LEAVES[0], -1, 7, []),
        (LEAVES[0], 0, 0, []),
        (LEAVES[5][:31], 5, 7, [LEAVES[4], LEAVES[6], root(4)]),
        (LEAVES[5], 5, 7, [LEAVES[4] + b"x", LEAVES[6], root(4)]),
        (LEAVES[5][1:], 5, 7, [LEAVES[4] + LEAVES[5][:1], LEAVES[6], root(4)]),  # joins to the same 64 bytes
        (LEAVES[5], 4, 7, [LEAVES[4], LEAVES[6], root(4)]),
        (LEAVES[5], 5, 6, [LEAVES[4], LEAVES[6], root(4)]),
    ],
)
def test_inclusion_claims_that_prove_nothing_are_refused(
    leaf: bytes, index: int, size: int, proof: list[bytes]
) -> None:
    with pytest.raises(Refused) as no:
        merkle.verify_inclusion(leaf, index, size, proof, root(7))
    assert no.value.code is Code.PROOF_INVALID


def test_a_remembered_edge_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(Refused):
        merkle.Frontier(3, (LEAVES[0],))
    with pytest.raises(Refused):
        merkle.append(merkle.Frontier(), [b"short"])
