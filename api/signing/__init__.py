"""Signatures: keys with one purpose each, and the forms in which others check them."""
