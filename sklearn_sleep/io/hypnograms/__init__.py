"""Hypnograms in the formats of other laboratories, a module each."""
