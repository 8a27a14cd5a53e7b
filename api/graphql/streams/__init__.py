"""Changes as they happen: one operation whose answers come one after the other.

bell hears that something changed, watch finds what of it somebody may see, following executes it as a query of his, and
ws and sse carry it to him.
"""
