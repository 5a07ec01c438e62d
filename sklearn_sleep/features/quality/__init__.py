"""Whether the signals of a night are fit for use."""
