"""Requests that are made to hurt, each with the code that refuses it: what one caller may try over real HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOO_COMPLEX, INVALID = "DOCUMENT_TOO_COMPLEX", "DOCUMENT_INVALID"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A body, and what must come back: the status and the code of the first error; no code where it is harmless."""

    name: str
    body: bytes
    status: int
    code: str | None


def _chain(length: int, type_: str, content: str, end: str) -> str:
    """Fragments, each spread twice in the one before: 2^length spreads."""
    links = (f"fragment F{n} on {type_} {{ {content} ...F{n + 1} ...F{n + 1} }}" for n in range(length))
    return " ".join([*links, f"fragment F{length} on {type_} {{ {end} }}"])


def _nested(opening: str, closing: str, levels: int, core: str) -> str:
    return opening * levels + core + closing * levels


def _fragments(number: int, content: str) -> str:
    spreads = " ".join(f"...F{n}" for n in range(number))
    return f"{{ viewer {{ person {{ {spreads} }} }} }} " + " ".join(
        f"fragment F{n} on Person {{ {content} }}" for n in range(number)
    )


DOCUMENTS: dict[str, tuple[str, str]] = {
    "20,000 duplicate fields": ("{ " + "__typename " * 20_000 + "}", TOO_COMPLEX),
    "1,490 duplicate fields within the tokens": ("{ " + "__typename " * 1_490 + "}", TOO_COMPLEX),
    "1,490 duplicate leaves one level down": ("{ viewer { " + "roles " * 1_490 + "} }", TOO_COMPLEX),
    "370 duplicate objects": ("{ viewer { " + "person { name } " * 370 + "} }", TOO_COMPLEX),
    "200 levels deep": (f"{{ viewer {{ person {_nested('{ manager ', '}', 200, '{ name }')} }} }}", TOO_COMPLEX),
    "60 levels deep": (f"{{ viewer {{ person {_nested('{ manager ', '}', 60, '{ name }')} }} }}", TOO_COMPLEX),
    "2,000 aliases": ("{ " + " ".join(f"a{n}: __typename" for n in range(2_000)) + " }", TOO_COMPLEX),
    "400 aliases within the tokens": ("{ " + " ".join(f"a{n}: __typename" for n in range(400)) + " }", TOO_COMPLEX),
    "100 fragments, each spread twice in the next": (
        "{ ...F0 } " + _chain(100, "Query", "", "__typename"), TOO_COMPLEX),
    "40 fragments with content, each spread twice in the next": (
        "{ viewer { person { ...F0 } } } " + _chain(40, "Person", "a: manager { name }", "name"), TOO_COMPLEX),
    "120 fragments beside each other": (_fragments(120, "manager { name }"), TOO_COMPLEX),
    "1,400 directives": ("{ __typename " + "@include(if: true) " * 1_400 + "}", TOO_COMPLEX),
    "700 unknown directives": ("{ __typename " + "@x " * 700 + "}", TOO_COMPLEX),
    "280 operations": (" ".join(f"query Q{n} {{ __typename }}" for n in range(280)), TOO_COMPLEX),
    "1,400 unknown fields": ("{ viewer { " + " ".join(f"x{n}" for n in range(1_400)) + " } }", INVALID),
    "a fragment within itself": ("{ ...A } fragment A on Query { ...A }", INVALID),
    "two fragments within each other": (
        "{ viewer { person { ...A } } } fragment A on Person { manager { ...B } }"
        " fragment B on Person { manager { ...A } }", INVALID),
    "700 lists in each other": (f"{{ node(id: {'[' * 700}{']' * 700}) {{ id }} }}", TOO_COMPLEX),
    "350 objects in each other": (f"{{ person(by: {_nested('{id: ', '}', 350, '1')}) {{ id }} }}", TOO_COMPLEX),
    "a number of 200,000 digits": (f"{{ people(first: {'9' * 200_000}) {{ nodes {{ id }} }} }}", INVALID),
    "a number of 4,000 digits": (f"{{ people(first: {'9' * 4_000}) {{ nodes {{ id }} }} }}", INVALID),
    "half a character": ('{ node(id: "\\uD800") { id } }', INVALID),
    "introspection in circles": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        INVALID),
    "all there is, 200 of each": (
        "{ people(first: 200) { nodes { reports(first: 200) { nodes { reports(first: 200) { nodes { id } } } } } } }",
        "COST_EXCEEDED"),
}  # fmt: skip
HARMLESS = {
    "a text of 250,000 characters": '{ node(id: "' + "x" * 250_000 + '") { id } }',
    "a comment of 250,000 characters": "{ __typename } #" + "x" * 250_000,
    "U+0000 in a text": '{ node(id: "\\u0000") { id } }',
    "20 __typename": "{ " + "__typename " * 20 + "}",
}
BODIES: dict[str, tuple[bytes, int, str]] = {
    "5 MB": (b'{"query": "{ __typename }' + b" " * 5_000_000 + b'"}', 413, "INPUT_TOO_LARGE"),
    "a batch of 1,000": (json.dumps([{"query": "{ __typename }"}] * 1_000).encode(), 400, "BAD_INPUT"),
    "half a character in the JSON": (b'{"query": "{ __typename # \\ud800 }"}', 400, "BAD_INPUT"),
    "U+0000 in the JSON": (b'{"query": "{ __typename \\u0000 }"}', 400, "BAD_INPUT"),
    "100,000 lists in each other": (
        b'{"query": "{ __typename }", "variables": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        400,
        "BAD_INPUT",
    ),
}
PAGE = "query ($n: Int!, $ids: [ID!]!) { people(first: $n, filter: {id: {in: $ids}}) { nodes { id } } }"
VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "a number of 40 digits": ({"n": 10**40, "ids": ["x"]}, INVALID),
    "500 lists in each other": ({"n": 1, "ids": json.loads("[" * 500 + "]" * 500)}, "BAD_INPUT"),
    "an object where a list stands": ({"n": 1, "ids": {"a": {"b": {"c": 1}}}}, INVALID),
    "50,000 ids": ({"n": 1, "ids": ["x"] * 50_000}, "INPUT_TOO_LARGE"),
    "a text of 200,000 characters": ({"n": 1, "ids": ["x" * 200_000]}, "INPUT_TOO_LARGE"),
}

AT_THE_FIELD = ("a text of 200,000 characters",)  # its length is told where it is looked for; the rest is executed


def campaign() -> Iterator[Hostile]:
    """All of them. Statuses are those of application/graphql-response+json."""
    for name, (query, code) in DOCUMENTS.items():
        yield Hostile(name, json.dumps({"query": query}).encode(), 400, code)
    for name, query in HARMLESS.items():
        yield Hostile(name, json.dumps({"query": query}).encode(), 200, None)
    for name, (body, status, code) in BODIES.items():
        yield Hostile(name, body, status, code)
    for name, (variables, code) in VALUES.items():
        body = json.dumps({"query": PAGE, "variables": variables}).encode()
        yield Hostile(name, body, 200 if name in AT_THE_FIELD else 400, code)
