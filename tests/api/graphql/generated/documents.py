"""Random operations over the real schema: almost all valid, most within the limits, each found again by its seed.

A selection set is written field by field. `Scope` remembers what every response key stands for, so that a field may be
repeated and merged; fragments are written inside the same scope. One in twenty does not validate in the end, most of
them for a fragment that is spread twice: refusals must agree too.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from api.graphql.ordering import ORDERS
from tests.api.graphql.generated.asking import Document
from tests.api.graphql.generated.inputs import Inputs, Tree
from tests.api.graphql.generated.pool import Order, Pool

ROWS_MAX = 240  # more objects than these are seldom asked for: they take time and find nothing new
WEIGHTS = {"nodes": 6, "edges": 4, "node": 4, "pageInfo": 2, "id": 2, "cursor": 2}
SCHEMA_QUESTIONS = (
    '__type(name: "Score") { name fields { name } }', "__schema { queryType { name } }", '__type(name: "x") { name }',
)  # fmt: skip


@dataclass
class Key:
    """What stands under one response key."""

    field: str
    arguments: str
    below: "Scope"


Scope = dict[str, Key]


@dataclass
class Writer:
    schema: GraphQLSchema
    inputs: Inputs
    depth_max: int
    rng: Random
    fragments: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> type, body
    aliases: int = 0
    marks: int = 0
    room: int = 40  # fields and fragments that may still be written

    def body(self, parent: Any, scope: Scope, depth: int, rows: int, wanted: int = 0) -> str:
        """The inside of a selection set on `parent`; `rows` is how often it may be answered."""
        rng = self.rng
        count = wanted or (rng.choice([1, 2, 2, 3, 3, 4, 6]) if self.room > 0 else 1)
        parts = [self.part(parent, scope, depth, rows) for _ in range(count)]
        found = [each for each in parts if each]
        return rng.choice([" ", " ", "\n", ", "]).join(found or ["__typename"])

    def part(self, parent: Any, scope: Scope, depth: int, rows: int) -> str:
        chance = self.rng.random()
        self.room -= 1
        if chance < 0.05 or (self.room < 0 and is_abstract_type(parent)):
            return self.typename(scope)
        if self.room < 0:
            return self.field(parent, scope, self.depth_max, rows) or self.field(parent, scope, depth, rows)
        if chance < 0.12 and scope:
            return self.again(parent, scope, depth, rows)
        if chance < 0.22 or (is_abstract_type(parent) and chance < 0.75):
            return self.inline(parent, scope, depth, rows)
        if chance < 0.28:
            return self.spread(parent, scope, depth, rows)
        return self.field(parent, scope, depth, rows)

    def typename(self, scope: Scope) -> str:
        key = self.key("__typename", "", scope)
        return f"{key}__typename{self.conditions()}" if key is not None else ""

    def field(self, parent: Any, scope: Scope, depth: int, rows: int) -> str:
        names = [name for name in parent.fields if depth < self.depth_max or is_leaf_type(named(parent, name))]
        if not names:
            return ""
        name = self.rng.choices(names, [self.weight(parent, name) for name in names])[0]
        declared = parent.fields[name]
        arguments, size = self.arguments(name, declared, rows)
        key = self.key(name, arguments, scope)
        if key is None:
            return ""
        text = f"{key}{name}{arguments}{self.conditions()}"
        if is_leaf_type(get_named_type(declared.type)):
            return text
        below = scope[key.removesuffix(": ") or name].below
        return f"{text} {{ {self.body(get_named_type(declared.type), below, depth + 1, max(1, rows // size))} }}"

    def weight(self, parent: Any, name: str) -> float:
        if name in WEIGHTS:
            return WEIGHTS[name]
        return 1.0 if is_leaf_type(named(parent, name)) else 1.6

    def key(self, name: str, arguments: str, scope: Scope) -> str | None:
        """`alias: ` or nothing; None where every key that comes to mind already stands for something else."""
        for key in (name, "a", "b", self.rng.choice(["first", "on_", "_x", "nodes", "id", "A" * 40])):
            if key == name and self.aliases < 9 and self.rng.random() < 0.1:
                continue
            known = scope.setdefault(key, Key(name, arguments, {}))
            if (known.field, known.arguments) == (name, arguments):
                if key == name:
                    return ""
                self.aliases += 1
                return f"{key}: "
            if self.aliases >= 9:
                return None
        return None

    def again(self, parent: Any, scope: Scope, depth: int, rows: int) -> str:
        """A field that stands here already, once more: the two are one."""
        key, known = self.rng.choice(list(scope.items()))
        if known.field not in getattr(parent, "fields", {}) or (key != known.field and self.aliases >= 9):
            return ""
        self.aliases += key != known.field
        text = f"{'' if key == known.field else key + ': '}{known.field}{known.arguments}{self.conditions()}"
        target = get_named_type(parent.fields[known.field].type)
        if is_leaf_type(target):
            return text
        return f"{text} {{ {self.body(target, known.below, depth + 1, max(1, rows // 3), 1)} }}"

    def narrower(self, parent: Any) -> Any:
        """A type that a fragment here can be about."""
        if is_abstract_type(parent) and self.rng.random() < 0.85:
            return self.rng.choice(self.schema.get_possible_types(parent))
        wider = getattr(parent, "interfaces", ())
        return self.rng.choice([parent, parent, *wider])

    def inline(self, parent: Any, scope: Scope, depth: int, rows: int) -> str:
        about = self.narrower(parent)
        bare = about is parent and self.rng.random() < 0.4
        inner = scope if self.rng.random() < 0.9 or about is parent else dict(scope)
        return (
            f"...{'' if bare else ' on ' + about.name}{self.conditions()} {{ {self.body(about, inner, depth, rows)} }}"
        )

    def spread(self, parent: Any, scope: Scope, depth: int, rows: int) -> str:
        about = self.narrower(parent)
        usable = [name for name, (type_, _) in self.fragments.items() if type_ in (about.name, "Node")]
        if usable and self.rng.random() < 0.4:
            return f"...{self.rng.choice(usable)}{self.conditions()}"
        body = self.body(about, scope, depth, rows)
        name = f"f{len(self.fragments)}"
        self.fragments[name] = (about.name, body)
        return f"...{name}{self.conditions()}"

    def conditions(self) -> str:
        found = ""
        for _ in range(2):
            if self.marks < 18 and self.rng.random() < 0.04:
                self.marks += 1
                name = self.rng.choice(["skip", "include"])
                if f"@{name}" not in found:
                    found += f" @{name}(if: {self.inputs.flag((name == 'include') == (self.rng.random() < 0.75))})"
        return found

    def arguments(self, name: str, declared: GraphQLField, rows: int) -> tuple[str, int]:
        """The arguments as they stand, and for how many rows the field is answered."""
        if not declared.args:
            return "", 1
        most = rows if rows > 1 else 1
        if "first" in declared.args:
            trees = self.page(declared, most)
        else:
            trees = {
                each: self.inputs.size(argument.type, most) if each == "limit" else
                self.inputs.value(argument.type, name=each)
                for each, argument in declared.args.items()
                if is_required_argument(argument) or self.rng.random() < 0.5
            }  # fmt: skip
        sizes = [trees[each].content for each in ("first", "last", "limit") if each in trees]
        numbers = [each for each in sizes if isinstance(each, int) and 1 <= each <= 200]
        if "ids" in trees and isinstance(trees["ids"].content, list):
            numbers.append(len(trees["ids"].content))
        given = ", ".join(f"{each}: {self.inputs.text(tree)}" for each, tree in trees.items())
        return f"({given})" if given else "", max([1, *numbers])

    def page(self, declared: GraphQLField, most: int) -> dict[str, Tree]:
        rng, inputs, args = self.rng, self.inputs, declared.args
        item = get_named_type(declared.type).name.removesuffix("Connection")
        trees: dict[str, Tree] = {}
        forwards = rng.random() < 0.6
        size, beyond = ("first", "after") if forwards else ("last", "before")
        if rng.random() > inputs.wrong:
            trees[size] = inputs.size(args[size].type, most)
        if rng.random() < 0.35:
            trees["orderBy"] = inputs.value(args["orderBy"].type, name="orderBy")
        if rng.random() < 0.2:
            trees[beyond] = inputs.cursor(args[beyond].type, self.order(item, trees.get("orderBy")))
        if rng.random() < 0.25 and "filter" in args:
            trees["filter"] = inputs.value(args["filter"].type, name="filter")
        for each in ("first", "last", "after", "before", "orderBy", "filter"):
            if each in args and each not in trees and rng.random() < 0.03:
                trees[each] = Tree(args[each].type, None)  # null and absent are the same here
        if rng.random() < inputs.wrong:
            trees["last" if forwards else "first"] = inputs.size(args["first"].type, most)
        shuffled = list(trees.items())
        rng.shuffle(shuffled)
        return dict(shuffled)

    def order(self, item: str, tree: Tree | None) -> Order:
        ordering = ORDERS[item]
        if tree is None or not isinstance(tree.content, dict):
            return item, str(ordering.default), "DESC" if ordering.descending else "ASC"
        way = tree.content.get("direction")
        return item, str(tree.content["field"].content), str(way.content) if way else "ASC"


def named(parent: Any, name: str) -> Any:
    return get_named_type(parent.fields[name].type)


def document(schema: GraphQLSchema, pool: Pool, seed: int) -> Document:
    """The document of this seed."""
    rng = Random(seed)
    inputs = Inputs(rng, pool, wrong=rng.choice([0, 0, 0, 0.01, 0.03]))
    depth = 12 if rng.random() < 0.03 else rng.choice([3, 5, 6, 8, 9])
    rows = 20_000 if rng.random() < 0.02 else rng.choice([4, 30, ROWS_MAX])
    writer = Writer(schema, inputs, depth, rng, room=rng.choice([5, 15, 40, 90]))
    assert isinstance(schema.query_type, GraphQLObjectType)
    body = writer.body(schema.query_type, {}, 1, rows, rng.choice([1, 1, 1, 2, 3, 4]))
    if rng.random() < 0.01:
        body += " " + rng.choice(SCHEMA_QUESTIONS)
    variables = dict(inputs.given)
    if rng.random() < 0.03:
        variables["stranger"] = 1
    head = f"({', '.join(inputs.definitions)})" if inputs.definitions else ""
    name = rng.choice(["", "Q", "mutation", "query"])
    operation = f"query {name}{head} {{ {body} }}" if name or head or rng.random() < 0.5 else f"{{ {body} }}"
    parts = [operation, *(f"fragment {at} on {on} {{ {text} }}" for at, (on, text) in writer.fragments.items())]
    asked = name if name and rng.random() < 0.3 else None
    if name and rng.random() < 0.08:
        parts.append("query Other { __typename }")
        asked = rng.choice([name, name, name, "Other", None, "Nowhere"])
    rng.shuffle(parts)
    more = tuple(inputs.varied() for _ in range(1 if inputs.others else 0))
    return Document("\n".join(parts), variables, asked, seed, more)
