"""A stateful imitation of ServiceNow and Jira over HTTP, filled with a made-up company or a real incident log.

It stands in for the tools in demos and tests. It binds to loopback only, warns at start, and is never imported by
production code (an import contract proves it).
"""
