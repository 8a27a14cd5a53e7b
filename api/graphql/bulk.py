"""A query that is read to its end: which ones can be, how a page of it is asked for, and what lines come of it.

Decides: one operation with one connection at its root (also below single objects, as `viewer { scores }`); `first`
says how many are read at a time, for nested connections too. Every nested connection is read to its end as well; its
rows become lines of their own, with the id of the object that they hang on as `__parentId`. What is not a connection
stays in its line.
Refused (BAD_INPUT): fragments at the root, pages that begin somewhere else, a connection whose object has no
id, two connections at one place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    parse,
    print_ast,
    visit,
)

from api.graphql.served import CORE
from engine.refusal import Code, Refused

AFTER, PARENT, PARENT_ID = "evenhandAfter", "evenhandParent", "__parentId"
PAGE_PARTS = {"nodes", "pageInfo"}
FROM_ELSEWHERE = {"after", "before", "last"}
ID = FieldNode(name=NameNode(value="id"))
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One request: the text, and the values beside the query's own."""

    text: str
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rest:
    """A nested list that did not fit into its page."""

    path: Path
    parent_id: str
    cursor: str


@dataclass(slots=True)
class Reading:
    """A query as it is read to its end. `outer` are the keys that lead to its connection."""

    outer: Path
    text: str
    nested: dict[Path, str] = field(default_factory=dict)  # text that goes on with a nested list

    def page(self, cursor: str | None) -> Page:
        return Page(self.text, {AFTER: cursor})

    def rest(self, rest: Rest) -> Page:
        return Page(self.nested[rest.path], {AFTER: rest.cursor, PARENT: rest.parent_id})

    def found(self, data: Any, path: Path | None = None) -> Any:
        """The connection in an answer: the outer one, or one that was gone on with."""
        for key in self.outer if path is None else ("node", path[-1]):
            data = data.get(key) if isinstance(data, dict) else None
        return data


def reading(document: DocumentNode, name: str | None) -> Reading:
    """How a valid document is read to its end."""
    operation = _operation(document, name)
    outer, connection = _outer(operation)
    pages = _Pages()
    whole: DocumentNode = visit(document, TypeInfoVisitor(pages.types, pages))
    prefix = len(outer)
    found = Reading(outer, print_ast(_alone(whole, name, outer)))
    for path, (parent, node) in _nested(whole, _operation(whole, name)).items():
        if len(path) > prefix:
            kind: Any = CORE.get_type(parent)
            if "id" not in kind.fields or not kind.interfaces:
                raise _not(f"{parent} has no id, so nothing can say what the rows of `{path[-1]}` hang on.")
            found.nested[path[prefix:]] = print_ast(_going_on(whole, _operation(whole, name), parent, node))
    if connection.name.value and not pages.seen:
        raise _not(f"`{connection.name.value}` is not a list with pages.")
    return found


def lines(page: Any, path: Path = (), parent_id: str | None = None) -> Iterator[dict[str, Any] | Rest]:
    """The rows of a connection and of everything nested in it; and the nested lists that have more."""
    for node in page["nodes"]:
        below: list[tuple[Path, str, Any]] = []
        line = _line(node, path, below)
        yield line if parent_id is None else {**line, PARENT_ID: parent_id}
        for inner_path, inner_id, inner in below:
            yield from lines(inner, inner_path, inner_id)
    if parent_id is not None and page["pageInfo"]["hasNextPage"]:
        yield Rest(path, parent_id, page["pageInfo"]["endCursor"])


def _line(value: Any, path: Path, below: list[tuple[Path, str, Any]]) -> Any:
    """The value without the connections in it, which are put aside."""
    if isinstance(value, list):
        return [_line(each, path, below) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, each in value.items():
        if isinstance(each, dict) and set(each) == PAGE_PARTS:
            below.append(((*path, key), value["id"], each))
        else:
            kept[key] = _line(each, (*path, key), below)
    return kept


class _Pages(Visitor):
    """Rewrites every connection to its rows and its place, and gives whatever holds one its id."""

    def __init__(self) -> None:
        super().__init__()
        self.types = TypeInfo(CORE)
        self.seen = 0

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        if node.alias and node.alias.value in PAGE_PARTS:  # the lines would take its object for a list
            raise _not(f"Something is called `{node.alias.value}` that is not it.")
        if not _is_connection(self.types.get_type()):
            return None
        self.seen += 1
        given = {each.name.value for each in node.arguments or ()}
        if given & FROM_ELSEWHERE or "first" not in given:
            raise _not(f"`{node.name.value}` is read from its beginning, so many at a time as `first` says.")
        page = parse("{ nodes pageInfo { hasNextPage endCursor } }").definitions[0].selection_set  # type: ignore[attr-defined]
        rows, info = page.selections
        rows = FieldNode(name=rows.name, selection_set=_rows(node))
        rewritten: FieldNode = _with(node, selection_set=SelectionSetNode(selections=(rows, info)))
        return rewritten

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode | None:
        kind = self.types.get_parent_type()
        if kind is None or not any(_paged(each) for each in node.selections):
            return None
        root = kind in (CORE.query_type,) or not isinstance(kind, GraphQLObjectType) or "id" not in kind.fields
        if root:
            return None
        return SelectionSetNode(selections=(ID, *node.selections))


def _rows(node: FieldNode) -> SelectionSetNode:
    """What is selected of each row: of `nodes`, and of `node` in `edges`."""
    rows: list[Any] = []
    for each in node.selection_set.selections if node.selection_set else ():
        if not isinstance(each, FieldNode):
            raise _not(f"A fragment stands directly in `{node.name.value}`.")
        inner = each.selection_set.selections if each.selection_set else ()
        if each.name.value == "nodes":
            rows += inner
        elif each.name.value == "edges":
            for one in inner:
                if isinstance(one, FieldNode) and one.name.value == "node" and one.selection_set:
                    rows += one.selection_set.selections
    if not rows:
        raise _not(f"Nothing is asked of the rows of `{node.name.value}`.")
    return SelectionSetNode(selections=tuple(rows))


def _paged(node: Any) -> bool:
    if not isinstance(node, FieldNode) or node.selection_set is None:
        return False
    names = [each.name.value for each in node.selection_set.selections if isinstance(each, FieldNode)]
    return names == ["nodes", "pageInfo"]


def _is_connection(kind: Any) -> bool:
    return kind is not None and get_named_type(kind).name.endswith("Connection")


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    every = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    found = [each for each in every if name is None or (each.name and each.name.value == name)]
    if len(found) != 1 or found[0].operation is not OperationType.QUERY:
        raise _not("It is not exactly one query.")
    return found[0]


def _outer(operation: OperationDefinitionNode) -> tuple[Path, FieldNode]:
    """The keys down to the connection, each the only one of its object."""
    kind: Any = CORE.query_type
    path: list[str] = []
    selections: Any = operation.selection_set
    while True:
        only = selections.selections
        if len(only) != 1 or not isinstance(only[0], FieldNode) or only[0].selection_set is None:
            raise _not("Not exactly one list stands at its root.")
        node = only[0]
        path.append((node.alias or node.name).value)
        if node.name.value not in kind.fields:
            raise _not("What it asks for is the schema and no list.")
        kind = kind.fields[node.name.value].type
        if _is_connection(kind):
            return tuple(path), node
        kind, selections = get_named_type(kind), node.selection_set


def _alone(document: DocumentNode, name: str | None, outer: Path) -> DocumentNode:
    """The operation with a place to go on from, and what it needs."""
    operation = _operation(document, name)

    def after(node: Any, keys: Path) -> Any:
        if not keys:
            argument = ArgumentNode(name=NameNode(value="after"), value=VariableNode(name=NameNode(value=AFTER)))
            return _with(node, arguments=(*(node.arguments or ()), argument))
        (only,) = node.selection_set.selections
        return _with(node, selection_set=SelectionSetNode(selections=(after(only, keys[1:]),)))

    return _document(document, operation, after(operation, outer).selection_set, f"${AFTER}: String")


def _nested(document: DocumentNode, operation: OperationDefinitionNode) -> dict[Path, tuple[str, FieldNode]]:
    """Every connection by the keys that lead to it from the root, with the type that it hangs on."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    found: dict[Path, tuple[str, FieldNode]] = {}

    def walk(selections: SelectionSetNode | None, kind: Any, path: Path) -> None:
        each: Any
        for each in selections.selections if selections else ():
            if isinstance(each, FragmentSpreadNode):
                each = fragments[each.name.value]
            if isinstance(each, InlineFragmentNode | FragmentDefinitionNode):
                condition = each.type_condition
                walk(each.selection_set, CORE.get_type(condition.name.value) if condition else kind, path)
            elif isinstance(each, FieldNode) and each.selection_set:
                key = (*path, (each.alias or each.name).value)
                below = get_named_type(kind.fields[each.name.value].type)
                if _paged(each) and below.name.endswith("Connection"):
                    if key in found:
                        raise _not(f"Two lists stand at {'.'.join(key)}.")
                    found[key] = (kind.name, each)
                    rows: Any = each.selection_set.selections[0]
                    walk(rows.selection_set, get_named_type(below.fields["nodes"].type), key)
                else:
                    walk(each.selection_set, below, key)

    walk(operation.selection_set, CORE.query_type, ())
    return found


def _going_on(document: DocumentNode, operation: OperationDefinitionNode, parent: str, node: FieldNode) -> DocumentNode:
    argument = ArgumentNode(name=NameNode(value="after"), value=VariableNode(name=NameNode(value=AFTER)))
    further = print_ast(_with(node, arguments=(*(node.arguments or ()), argument)))
    text = f"{{ node(id: ${PARENT}) {{ ... on {parent} {{ {further} }} }} }}"
    selections = parse(text).definitions[0].selection_set  # type: ignore[attr-defined]
    return _document(document, operation, selections, f"${AFTER}: String, ${PARENT}: ID!")


def _document(
    document: DocumentNode, operation: OperationDefinitionNode, selections: SelectionSetNode, more: str
) -> DocumentNode:
    """A document of these selections, with the variables and fragments that they use and no others."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    used: dict[str, FragmentDefinitionNode] = {}
    variables: set[str] = set()

    class Uses(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            variables.add(node.name.value)

        def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
            if node.name.value not in used:
                used[node.name.value] = fragments[node.name.value]
                visit(used[node.name.value].selection_set, Uses())

    visit(selections, Uses())
    if {AFTER, PARENT} & {each.variable.name.value for each in operation.variable_definitions or ()}:
        raise _not("It has variables of names that are ours.")
    own = [each for each in operation.variable_definitions or () if each.variable.name.value in variables]
    given = parse(f"query ({more}) {{ __typename }}").definitions[0].variable_definitions  # type: ignore[attr-defined]
    made = _with(operation, selection_set=selections, variable_definitions=(*own, *given), name=None)
    return DocumentNode(definitions=(made, *used.values()))


def variables_of(page: Page, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The values for a page: those of the query, and its own."""
    return {**variables, **page.more}


def _with(node: Any, **parts: Any) -> Any:
    kept = {key: getattr(node, key) for key in node.keys if key != "loc"}
    return type(node)(**{**kept, **parts})


def _not(what: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"This query cannot be exported. {what}", "Ask for one list.", ("query",))
