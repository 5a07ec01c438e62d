"""Heartbeats, and features of the intervals between them."""
