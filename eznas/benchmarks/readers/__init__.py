"""Readers: one file a published format."""
