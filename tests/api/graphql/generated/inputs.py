"""Values of arguments: of every input type, given as literals or variables, absent, null, by default, right and wrong.

A value is made as a tree of its type. It is written into the document as a literal; any part of it may become a
variable of the part's type, with or without a default, given, left out or null.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)

from tests.api.graphql.generated.pool import Order, Pool
from tests.api.graphql.generated.values import BIGS, DECIMALS, INTS, TEXTS

LEFT_OUT = object()
ANYBODY = ("Person", "Team", "Service")
# the kinds of id that a filter of this name takes
KINDS: Mapping[str, tuple[str, ...]] = {
    "subject": ANYBODY, "cycle": ("Cycle",), "run": ("Run",), "person": ("Person",), "service": ("Service",),
    "manager": ("Person",), "actor": ("Person",), "viewer": (),
}  # fmt: skip
WRONG_JSON: tuple[Any, ...] = (True, 1, 1.5, -1, 2**31, 2**70, "", "x", [], [[]], {}, {"x": 1}, None, [None])
SIZES = (1, 1, 2, 2, 3, 4, 5)
WRONG_SIZES = (0, -1, 200, 201, 2**31 - 1)


@dataclass
class Tree:
    """A value of this type: `content` is JSON for leaves, trees for lists and objects."""

    type: GraphQLInputType
    content: Any
    written: str = ""  # how a leaf stands in the document
    again: "Callable[[], Tree] | None" = field(default=None, compare=False)  # another value for the same place


@dataclass
class Inputs:
    """Makes values and keeps the variables of one operation."""

    rng: Random
    pool: Pool
    definitions: list[str] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    wrong: float = 0.01  # how often a leaf is of no use
    others: dict[str, Callable[[], Any]] = field(default_factory=dict)  # variable -> another value of it

    def text(self, tree: Tree, *, must: bool = False) -> str:
        """The tree as it stands in the document; `must` where null may not stand (members of a oneOf)."""
        if self.rng.random() < 0.13:
            return self.variable(tree, must=must)
        return self.literal(tree)

    def literal(self, tree: Tree, *, constant: bool = False) -> str:
        """`constant`: without variables, as a default must be."""
        inner: Callable[..., str] = (
            (lambda each, must=False: self.literal(each, constant=True)) if constant else self.text
        )
        if tree.content is None:
            return "null"
        if isinstance(tree.content, list):
            return "[" + ", ".join(inner(each) for each in tree.content) + "]"
        if isinstance(tree.content, dict):
            one_of = getattr(bare(tree.type), "is_one_of", False)
            parts = (f"{name}: {inner(each, must=one_of)}" for name, each in tree.content.items())
            return "{" + ", ".join(parts) + "}"
        return tree.written

    def varied(self) -> dict[str, Any]:
        """The variables, some of them with other values: a plan that was made for the first ones must not mind."""
        found = {**self.given}
        for name, other in self.others.items():
            if self.rng.random() < 0.6:
                found[name] = other()
        return {name: value for name, value in found.items() if value is not LEFT_OUT}

    def _other(self, tree: Tree, optional: bool) -> Callable[[], Any]:
        def other() -> Any:
            if optional and self.rng.random() < 0.15:
                return self.rng.choice([None, LEFT_OUT])
            return json_of(tree.again() if tree.again else tree)

        return other

    def variable(self, tree: Tree, *, must: bool) -> str:
        rng = self.rng
        name = f"v{len(self.definitions)}"
        hard = is_non_null_type(tree.type) or must
        self.others[name] = self._other(tree, not hard)
        plain = str(bare(tree.type))
        chance = rng.random()
        if chance < 0.25 and not must and tree.content is not None:  # by default, or given over a default
            self._define(name, plain + ("!" if rng.random() < 0.5 else ""), self.literal(tree, constant=True))
            if rng.random() < 0.4:
                self.given[name] = json_of(tree.again() if tree.again else tree)
            elif rng.random() < 0.1:
                self.given[name] = None
            return f"${name}"
        self._define(name, plain + ("!" if hard or rng.random() < 0.3 else ""), "")
        if chance < 0.28 and not hard:
            return f"${name}"
        self.given[name] = None if chance < 0.31 and not hard else json_of(tree)
        if rng.random() < self.wrong * 2:
            self.given[name] = rng.choice(WRONG_JSON)
        return f"${name}"

    def flag(self, value: bool) -> str:
        """A condition that is this."""
        chance = self.rng.random()
        if chance < 0.5:
            return json.dumps(value)
        name = f"v{len(self.definitions)}"
        self.others[name] = lambda: self.rng.random() < 0.5
        if chance < 0.7:
            self._define(name, "Boolean!", json.dumps(value))
        elif chance < 0.8:
            self._define(name, "Boolean", json.dumps(value))
        else:
            self._define(name, "Boolean!", "")
            self.given[name] = value
        return f"${name}"

    def _define(self, name: str, type_: str, default: str) -> None:
        self.definitions.append(f"${name}: {type_}" + (f" = {default}" if default else ""))

    def value(self, type_: GraphQLInputType, *, name: str, owner: str = "") -> Tree:
        """Some value of the type. `name` is of the argument or input field, `owner` of the type around it."""
        made = self._value(type_, name, owner)
        made.again = lambda: self._value(type_, name, owner)
        return made

    def _value(self, type_: GraphQLInputType, name: str, owner: str) -> Tree:
        inner = bare(type_)
        if not is_non_null_type(type_) and self.rng.random() < 0.03:
            return Tree(type_, None)
        if is_list_type(inner):
            return self._list(type_, inner, name, owner)
        if isinstance(inner, GraphQLInputObjectType):
            return self._object(type_, inner, name, owner)
        if isinstance(inner, GraphQLEnumType):
            word = self.rng.choice(list(inner.values))
            return Tree(type_, word, word)
        assert isinstance(inner, GraphQLScalarType)
        return self._leaf(type_, inner.name, name, owner)

    def _list(self, type_: GraphQLInputType, inner: GraphQLList[Any], name: str, owner: str) -> Tree:
        chance = self.rng.random()
        if isinstance(bare(inner.of_type), GraphQLEnumType) and chance > 0.6:
            words = [Tree(inner.of_type, word, word) for word in bare(inner.of_type).values]
            return Tree(type_, words)
        size = self.rng.randint(0, 4) if chance < 0.985 else self.rng.choice([100, 101, 200, 201])
        items = [self.value(inner.of_type, name=name, owner=owner) for _ in range(min(size, 6))]
        items += [items[at % len(items)] for at in range(size - len(items))] if items else []
        if len(items) == 1 and not isinstance(items[0].content, list | None) and chance < 0.5:
            return Tree(type_, items[0].content, items[0].written)  # one item stands for a list of one
        return Tree(type_, items)

    def _object(self, type_: GraphQLInputType, inner: GraphQLInputObjectType, name: str, owner: str) -> Tree:
        owner = owner if inner.name == "IdFilter" else inner.name
        names = list(inner.fields)
        if inner.is_one_of:
            wanted = [self.rng.choice(names)] if self.rng.random() > self.wrong else names[: self.rng.choice([0, 2])]
        else:
            often = self.rng.choice([0.1, 0.2, 0.2, 0.9])
            wanted = [
                each for each in names if is_required_input_field(inner.fields[each]) or self.rng.random() < often
            ]
            self.rng.shuffle(wanted)
        content: dict[str, Tree] = {}
        for each in wanted:
            declared = inner.fields[each].type
            if inner.is_one_of and self.rng.random() > self.wrong:
                declared = GraphQLNonNull(bare(declared))
            said = name if inner.name == "IdFilter" else each
            content[each] = self.value(declared, name=said, owner=owner)
        return Tree(type_, content)

    def _leaf(self, type_: GraphQLInputType, scalar: str, name: str, owner: str) -> Tree:
        rng = self.rng
        if rng.random() < self.wrong:
            value: Any = rng.choice([1.5, True, "x", -1, 2**31, "2026-13-01", "1e5", "nul \0"])
        elif scalar == "ID":
            kinds = KINDS.get(name, (owner.removesuffix("Filter").removesuffix("By"),) if owner else ())
            value = self.pool.id(rng, *kinds)
        elif scalar == "String":
            value = self.pool.word(rng, name)
        else:
            value = rng.choice(SCALARS.get(scalar, TEXTS))
        return Tree(type_, value, written(rng, value))

    def size(self, type_: GraphQLInputType, most: int) -> Tree:
        """The size of a page or list; seldom one that is refused."""
        sizes = WRONG_SIZES if self.rng.random() < self.wrong * 2 else [each for each in SIZES if each <= most] or [1]
        value = self.rng.choice(sizes)
        return Tree(type_, value, str(value), lambda: self.size(type_, most))

    def cursor(self, type_: GraphQLInputType, order: Order) -> Tree:
        value = self.pool.cursor(self.rng, order)
        return Tree(type_, value, written(self.rng, value), lambda: self.cursor(type_, order))


SCALARS: Mapping[str, tuple[Any, ...]] = {
    "Int": (0, 1, 2, 3, *INTS),
    "Boolean": (True, False),
    "Float": (0, 0.5, 1.0, -2),
    "Decimal": tuple(format(each, "f") for each in DECIMALS),
    "BigInt": tuple(str(each) for each in (0, 1, 2, 3, 5, 8, 13, 20, *BIGS)),
    "DateTime": (
        "2026-11-21T09:00:00Z",
        "2026-11-21T10:00:00.1+01:00",
        "1969-12-31T23:59:59.999999Z",
        "0001-01-02T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-11-21",
    ),
    "Date": ("2026-01-01", "2024-02-29", "2026-02-30"),
    "JSON": ("x", 1, True),
}


def bare(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def json_of(tree: Tree) -> Any:
    if isinstance(tree.content, list):
        return [json_of(each) for each in tree.content]
    if isinstance(tree.content, dict):
        return {name: json_of(each) for name, each in tree.content.items()}
    return tree.content


def written(rng: Random, value: Any) -> str:
    """A leaf as a GraphQL literal: texts with escapes, or as they are."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = all(each >= " " and not "\ud800" <= each <= "\udfff" for each in value)
    if plain and rng.random() < 0.5:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
