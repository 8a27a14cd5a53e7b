"""A smaller document that fails in the same way: parts are taken away as long as it still does.

Taken away are operations, selections, arguments, conditions and list items; a fragment is put where it is spread.
What nobody uses any more, fragments and variables, goes with them.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from tests.api.graphql.generated.asking import Document

Fails = Callable[[Document], Awaitable[bool]]
TRIES_MAX = 600
# what may go from where
PARTS = ("selections", "arguments", "directives", "values", "fields")


async def shrunk(document: Document, fails: Fails) -> Document:
    """The smallest document found that still fails; the same one where none does or it cannot be read."""
    try:
        best = cleaned(document, parse(document.text))
    except GraphQLError:
        return document
    if not await fails(best):
        return document
    tries = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(best):
            tries += 1
            if tries > TRIES_MAX:
                return best
            if await fails(candidate):
                best, smaller = candidate, True
                break
    return best


def candidates(document: Document) -> Iterator[Document]:
    """Every document with one part less, large parts first; then such with a fragment put in its place."""
    ast = parse(document.text)
    found: list[tuple[int, Document]] = []
    for edited in edits(ast):
        made = cleaned(document, edited)
        if made.text != document.text:
            found.append((len(made.text), made))
    yield from (made for _, made in sorted(found, key=lambda each: each[0]))


def edits(ast: DocumentNode) -> Iterator[DocumentNode]:
    for definition in ast.definitions:
        if isinstance(definition, OperationDefinitionNode) and len(ast.definitions) > 1:
            yield without(ast, definition)
    for node in nodes_of(ast):
        for part in PARTS:
            children = getattr(node, part, None) or ()
            if part == "selections" and len(children) == 1:
                continue
            yield from (without(ast, child) for child in children)
        if isinstance(node, InlineFragmentNode | FragmentSpreadNode):
            yield opened(ast, node)


def nodes_of(ast: Node) -> list[Node]:
    found: list[Node] = []

    class Collect(Visitor):
        def enter(self, node: Node, *_: Any) -> None:
            found.append(node)

    visit(ast, Collect())
    return found


def without(ast: DocumentNode, gone: Node) -> DocumentNode:
    class Remove(Visitor):
        def enter(self, node: Node, *_: Any) -> Any:
            return self.REMOVE if node is gone else None

    edited: DocumentNode = visit(ast, Remove())
    return edited


def opened(ast: DocumentNode, fragment: Node) -> DocumentNode:
    """The document with the fields of this fragment in its place; a type condition is lost where it can be."""
    named = {each.name.value: each for each in ast.definitions if isinstance(each, FragmentDefinitionNode)}

    class Open(Visitor):
        def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> Any:
            if not any(each is fragment for each in node.selections):
                return None
            found: list[Any] = []
            for each in node.selections:
                if each is not fragment:
                    found.append(each)
                elif isinstance(each, InlineFragmentNode):
                    found += each.selection_set.selections
                elif isinstance(each, FragmentSpreadNode) and each.name.value in named:
                    body = named[each.name.value]
                    found.append(
                        InlineFragmentNode(
                            type_condition=body.type_condition, directives=(), selection_set=body.selection_set
                        )
                    )
            return SelectionSetNode(selections=tuple(found))

    edited: DocumentNode = visit(ast, Open())
    return edited


def cleaned(document: Document, ast: DocumentNode) -> Document:
    """The document of this tree, without fragments and variables that are not used."""
    changed = True
    while changed:
        spread = {each.name.value for each in nodes_of(ast) if isinstance(each, FragmentSpreadNode)}
        unused = [d for d in ast.definitions if isinstance(d, FragmentDefinitionNode) and d.name.value not in spread]
        for each in unused:
            ast = without(ast, each)
        changed = bool(unused)
    used = {each.name.value for part in nodes_of(ast) for each in uses(part)}
    for operation in [each for each in ast.definitions if isinstance(each, OperationDefinitionNode)]:
        for definition in operation.variable_definitions or ():
            if definition.variable.name.value not in used:
                ast = without(ast, definition)
    variables = {name: value for name, value in document.variables.items() if name in used}
    names = {each.name.value for each in ast.definitions if isinstance(each, OperationDefinitionNode) and each.name}
    return replace(
        document,
        text=print_ast(ast),
        variables=variables,
        operation=document.operation if document.operation in names else None,
    )


def uses(node: Node) -> Iterator[VariableNode]:
    """Variables that stand as values here; where they are defined does not count."""
    if isinstance(node, ListValueNode):
        yield from (each for each in node.values if isinstance(each, VariableNode))
    elif isinstance(node, ObjectValueNode):
        yield from (each.value for each in node.fields if isinstance(each.value, VariableNode))
    else:
        for argument in getattr(node, "arguments", None) or ():
            if isinstance(argument.value, VariableNode):
                yield argument.value
