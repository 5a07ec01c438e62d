"""Images in which the colour of a bar tells the stage, wherever it is, among noise."""

import numpy as np

STAGES = ("W", "N1", "N2", "N3", "R")
COLORS = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [0, 200, 200]])
HEIGHT, WIDTH = 56, 112
BAR = 28


def make_images(n_rows, *, random_state=0):
    """Return images (n_rows, 1, height, width, 3) and the stages of their rows."""
    rng = np.random.default_rng(random_state)
    codes = rng.integers(len(STAGES), size=n_rows)
    images = rng.integers(0, 40, (n_rows, 1, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for row, left in enumerate(bar_places(codes, random_state)):
        images[row, 0, :, left : left + BAR] += COLORS[codes[row]].astype(np.uint8)
    return images, np.array(STAGES)[codes]


def bar_places(rows, random_state=0):
    """Return the first column of the bar in each row."""
    return np.random.default_rng([random_state, 1]).integers(0, WIDTH // BAR, len(rows)) * BAR
