"""The demonstration: a sandboxed ServiceNow and Jira, and the whole way from a ticket to a payout line."""
