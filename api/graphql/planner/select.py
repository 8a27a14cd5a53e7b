"""What an operation asks for, with this request's conditions and arguments resolved.

Fields are collected and arguments coerced by graphql-core itself, so that merging, order, `@skip`, `@include`, defaults
and errors are those of the standard execution.
"""

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_non_null_type,
    type_from_ast,
)
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema import Schema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from api.ids import parsed

Chosen = dict[str, FieldDetailsList]


@dataclass(frozen=True, slots=True)
class Selection:
    """One operation of a valid document with its coerced variables."""

    schema: Schema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: VariableValues

    @property
    def core(self) -> GraphQLSchema:
        return self.schema._schema

    @property
    def fragments(self) -> dict[str, FragmentDetails]:
        return {
            each.name.value: FragmentDetails(each)
            for each in self.document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }

    def roots(self) -> Chosen:
        """The root fields by response key, in the order of the answer."""
        root = self.core.query_type
        assert root is not None  # noqa: S101 - the schema has a Query
        return collect_fields(self.core, self.fragments, self.variables, root, self.operation).grouped_field_set

    def fields(self, kind: str, asked: FieldDetailsList) -> Chosen:
        """The fields below `asked` for an object of this type, by response key, in the order of the answer."""
        runtime = self.core.type_map[kind]
        assert isinstance(runtime, GraphQLObjectType)  # noqa: S101 - only objects have fields
        found = collect_subfields(self.core, self.fragments, self.variables, self.operation, runtime, asked)
        return found.grouped_field_set

    def arguments(self, field: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The arguments as a resolver would get them: by Python name, inputs as objects, left-out ones not there."""
        return arguments(self.schema, field, node, self.variables)


def arguments(schema: Schema, field: GraphQLField, node: FieldNode, variables: VariableValues) -> dict[str, Any]:
    declared: StrawberryField = (field.extensions or {})["strawberry-definition"]
    coerced = get_argument_values(field, node, variables)
    registry = schema.schema_converter.scalar_registry
    return convert_arguments(coerced, declared.arguments, scalar_registry=registry, config=schema.config)


def shape(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: VariableValues) -> tuple[Any, ...]:
    """All of the variables that the text of a statement may depend on. Two requests of one shape share a plan.

    Which are absent, null or given; Booleans and words; the keys of input objects; the type that an id names. No other
    value is in it.
    """
    coerced = variables.coerced
    return tuple(
        _shape(type_from_ast(schema, each.type), coerced.get(each.variable.name.value, Undefined))
        for each in operation.variable_definitions or ()
    )


def _shape(kind: Any, value: Any) -> Any:
    if value is Undefined or value is None:
        return value is None
    kind = kind.of_type if is_non_null_type(kind) else get_nullable_type(kind)
    if isinstance(kind, GraphQLList):
        named = get_named_type(kind)
        return tuple(sorted({_id_kind(each) for each in value})) if named.name == "ID" else "list"
    if isinstance(kind, GraphQLInputObjectType):
        return tuple((name, _shape(kind.fields[name].type, value[name])) for name in sorted(value))
    if isinstance(kind, GraphQLEnumType) or (isinstance(kind, GraphQLScalarType) and kind.name == "Boolean"):
        return str(value)
    if isinstance(kind, GraphQLScalarType) and kind.name == "ID":
        return _id_kind(value)
    return "given"


def _id_kind(value: Any) -> str:
    found = parsed(str(value))
    return found[0] if found else "?"
