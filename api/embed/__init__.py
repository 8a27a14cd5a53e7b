"""Pictures and pages that other tools show: drawn on the server, framed only where a tenant allows it."""
