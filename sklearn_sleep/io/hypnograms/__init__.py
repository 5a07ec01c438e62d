"""Hypnograms of all formats, and the registry of these."""
