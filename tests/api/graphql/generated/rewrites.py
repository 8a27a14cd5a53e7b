"""Other ways to write the same question. Each takes a document and gives one with the same answer, or none."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_non_null_type,
    parse,
    parse_type,
    print_ast,
    value_from_ast_untyped,
    visit,
)

from tests.api.graphql.generated.asking import Document
from tests.api.graphql.generated.shrinking import cleaned, nodes_of

Rewrite = Callable[[GraphQLSchema, Document, Random], Document | None]


def name(text: str) -> NameNode:
    return NameNode(value=text)


def exchanged(ast: DocumentNode, old: Node, new: Any) -> DocumentNode:
    """The tree with `new` where `old` stood: one node, or several in a list of selections."""

    class Exchange(Visitor):
        def enter(self, node: Node, *_: Any) -> Any:
            return new if node is old and not isinstance(new, tuple) else None

        def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> Any:
            if isinstance(new, tuple) and any(each is old for each in node.selections):
                found = [part for each in node.selections for part in (new if each is old else (each,))]
                return SelectionSetNode(selections=tuple(found))
            return None

    edited: DocumentNode = visit(ast, Exchange())
    return edited


def chosen(rng: Random, ast: DocumentNode, kind: type[Any], fits: Callable[[Any], bool] = bool) -> Any:
    found = [each for each in nodes_of(ast) if isinstance(each, kind) and fits(each)]
    return rng.choice(found) if found else None


def typed(schema: GraphQLSchema, ast: DocumentNode, wanted: Node) -> tuple[Any, Any, Any]:
    """(type around the selection, type of the input here, type of the input around it) at this node."""
    info = TypeInfo(schema)
    found: list[tuple[Any, Any, Any]] = []

    class Look(Visitor):
        def enter(self, node: Node, *_: Any) -> None:
            if node is wanted:
                found.append((info.get_parent_type(), info.get_input_type(), info.get_parent_input_type()))

    visit(ast, TypeInfoVisitor(info, Look()))
    return found[0]


def extracted(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """Some neighbouring selections become a named fragment."""
    ast = parse(document.text)
    node = chosen(rng, ast, SelectionSetNode)
    parent, _, _ = typed(schema, ast, node)
    start = rng.randrange(len(node.selections))
    end = rng.randint(start + 1, len(node.selections))
    fragment = FragmentDefinitionNode(
        name=name("extracted"), type_condition=NamedTypeNode(name=name(parent.name)), directives=(),
        selection_set=SelectionSetNode(selections=node.selections[start:end]),
    )  # fmt: skip
    spread = FragmentSpreadNode(name=name("extracted"), directives=())
    around = SelectionSetNode(selections=(*node.selections[:start], spread, *node.selections[end:]))
    edited = exchanged(ast, node, around)
    return replace(document, text=print_ast(DocumentNode(definitions=(*edited.definitions, fragment))))


def inlined(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A spread becomes the fragment itself."""
    ast = parse(document.text)
    named = {each.name.value: each for each in ast.definitions if isinstance(each, FragmentDefinitionNode)}
    node = chosen(rng, ast, FragmentSpreadNode)
    if node is None:
        return None
    body = named[node.name.value]
    inline = InlineFragmentNode(
        type_condition=body.type_condition, directives=node.directives, selection_set=body.selection_set
    )
    return _cleaned(document, exchanged(ast, node, inline))


def _cleaned(document: Document, ast: DocumentNode) -> Document:
    return replace(cleaned(document, ast), variables=document.variables, operation=document.operation)


def split(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A field with two halves of its selections, one after the other."""
    ast = parse(document.text)
    node = chosen(rng, ast, FieldNode, lambda each: each.selection_set and len(each.selection_set.selections) > 1)
    if node is None:
        return None
    at = rng.randrange(1, len(node.selection_set.selections))
    halves = (node.selection_set.selections[:at], node.selection_set.selections[at:])
    return replace(document, text=print_ast(exchanged(ast, node, tuple(_with(node, half) for half in halves))))


def _with(node: FieldNode, selections: Any) -> FieldNode:
    return FieldNode(
        alias=node.alias, name=node.name, arguments=node.arguments, directives=node.directives,
        selection_set=SelectionSetNode(selections=selections) if selections else None,
    )  # fmt: skip


def repeated(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A field, and once more the same."""
    ast = parse(document.text)
    node = chosen(rng, ast, FieldNode, lambda each: each.selection_set is None or rng.random() < 0.3)
    return replace(document, text=print_ast(exchanged(ast, node, (node, node)))) if node else None


def bound(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A literal becomes a variable with its value."""
    ast = parse(document.text)
    literal = chosen(
        rng, ast, ArgumentNode | ObjectFieldNode,  # type: ignore[arg-type]
        lambda each: not any(isinstance(part, VariableNode) for part in nodes_of(each.value)),
    )  # fmt: skip
    operations = [each for each in ast.definitions if isinstance(each, OperationDefinitionNode)]
    if literal is None or len(operations) > 1:
        return None
    _, kind, around = typed(schema, ast, literal)
    if kind is None:
        return None  # the condition of a directive, or nothing that validates
    must = isinstance(literal, ObjectFieldNode) and getattr(get_named_type(around), "is_one_of", False)
    text = str(kind) + ("!" if must and not is_non_null_type(kind) else "")
    value = value_from_ast_untyped(literal.value)
    edited = exchanged(ast, literal.value, VariableNode(name=name("bound")))
    [operation] = [each for each in edited.definitions if isinstance(each, OperationDefinitionNode)]
    defined = VariableDefinitionNode(variable=VariableNode(name=name("bound")), type=parse_type(text), directives=())
    with_it = OperationDefinitionNode(
        operation=operation.operation, name=operation.name, directives=operation.directives,
        variable_definitions=(*(operation.variable_definitions or ()), defined), selection_set=operation.selection_set,
    )  # fmt: skip
    text = print_ast(exchanged(edited, operation, with_it))
    return replace(document, text=text, variables={**document.variables, "bound": value})


def _condition(word: str, value: bool) -> DirectiveNode:
    argument = ArgumentNode(name=name("if"), value=BooleanValueNode(value=value))
    return DirectiveNode(name=name(word), arguments=(argument,))


def included(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A condition that is always met."""
    ast = parse(document.text)
    node = chosen(rng, ast, FieldNode, lambda each: not each.directives)
    if node is None:
        return None
    condition = rng.choice([_condition("include", True), _condition("skip", False)])
    marked = FieldNode(
        alias=node.alias, name=node.name, arguments=node.arguments, directives=(condition,),
        selection_set=node.selection_set,
    )  # fmt: skip
    return replace(document, text=print_ast(exchanged(ast, node, marked)))


def deadened(schema: GraphQLSchema, document: Document, rng: Random) -> Document | None:
    """A field more, which is never met."""
    ast = parse(document.text)
    node = chosen(rng, ast, SelectionSetNode)
    condition = rng.choice([_condition("include", False), _condition("skip", True)])
    dead = FieldNode(name=name("__typename"), arguments=(), directives=(condition,))
    at = rng.randrange(len(node.selections) + 1)
    more = SelectionSetNode(selections=(*node.selections[:at], dead, *node.selections[at:]))
    return replace(document, text=print_ast(exchanged(ast, node, more)))


REWRITES: dict[str, Rewrite] = {
    "extracted": extracted, "inlined": inlined, "split": split, "repeated": repeated, "bound": bound,
    "included": included, "deadened": deadened,
}  # fmt: skip


def rewritten(schema: GraphQLSchema, document: Document, rng: Random) -> tuple[str, Document] | None:
    word = rng.choice(list(REWRITES))
    found = REWRITES[word](schema, document, rng)
    return (word, found) if found else None
