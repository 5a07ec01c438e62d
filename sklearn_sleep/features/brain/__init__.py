"""Spindles, slow waves, and features of the EEG."""
