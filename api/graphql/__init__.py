"""Reading and deciding over GraphQL: types are annotations bound to tables, reads run under row security."""
