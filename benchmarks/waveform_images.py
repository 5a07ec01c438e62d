"""Time of the images of a night, beside SleepVLM's renderer and lines drawn by Pillow.

A synthetic night of eight hours with six channels, 960 images of 448 x 224 pixels. SleepVLM's
renderer (github.com/Deng-GuiFeng/SleepVLM, by path) draws each with matplotlib and writes a PNG
file; what encoding takes is measured by itself. It draws a part of the night, since it takes a
minute; all are drawn in turn, in one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_environment, format_table
from heart_rate_variability import measure
from PIL import Image, ImageDraw
from skimage.metrics import structural_similarity

from sklearn_sleep import EDFReader, Filter, Resampler, WaveformImageRenderer, make_cohort
from sklearn_sleep.imaging import MONTAGES, draw_epochs

MONTAGE = MONTAGES["sleepvlm"]
NAMES = [trace.name for trace in MONTAGE.traces]


def read_night(folder: str) -> tuple[Any, np.ndarray]:
    """Return a night's images, and its samples (960, 3000, 6) in uV."""
    X = make_cohort(folder, n_subjects=4, hours=8.0, random_state=0).X
    for path in X["recording"].unique():
        epochs = EDFReader(MONTAGE).fit_transform(str(path))
        if set(epochs.signal_names) == set(NAMES):
            break
    for step in (Filter(), Resampler(dict.fromkeys(NAMES, 3000))):
        epochs = step.fit_transform(epochs)
    images = WaveformImageRenderer("sleepvlm", context=[0]).fit_transform(epochs[:960])
    samples = images.read_samples()
    return images, np.stack([samples[name] for name in NAMES], axis=2)


def load_peer(checkout: Path) -> Callable[[np.ndarray, str], None]:
    """Return SleepVLM's drawing of one epoch into a PNG file."""
    path = checkout / "sleepvlm" / "data" / "renderer.py"
    spec = importlib.util.spec_from_file_location("sleepvlm_renderer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda epoch, file: module._render_single_epoch(epoch, module.CHANNEL_ORDER, file)


def draw_in_parts(arrays: dict[str, np.ndarray]) -> None:
    """Draw a night as the lazy sequence does, some images at a time."""
    for start in range(0, len(arrays[NAMES[0]]), 64):
        draw_epochs({name: array[start : start + 64] for name, array in arrays.items()})


def draw_with_pillow(epoch: np.ndarray) -> Image.Image:
    """Draw a line for each channel, without grid and anti-aliasing."""
    image = Image.new("RGB", (MONTAGE.width, MONTAGE.height))
    draw = ImageDraw.Draw(image)
    columns = np.linspace(0, MONTAGE.width, len(epoch))
    for position, trace in enumerate(MONTAGE.traces):
        low, high = trace.amplitude
        rows = MONTAGE.center(position) - epoch[:, position] / (high - low) * MONTAGE.band_height
        draw.line(list(zip(columns, rows, strict=True)), fill=trace.color, width=1)
    return image


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the renderers and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", type=Path, help="checkout of SleepVLM")
    parser.add_argument("--peer-images", type=int, default=30, help="that the others draw")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        images, samples = read_night(folder)
        n_images = len(images)
        some = samples[:: max(n_images // options.peer_images, 1)]
        arrays = {name: np.ascontiguousarray(samples[..., i]) for i, name in enumerate(NAMES)}
        drawn = draw_epochs({name: array[:1] for name, array in arrays.items()})[0]
        tasks = {
            "sklearn_sleep: samples to arrays": (lambda: draw_in_parts(arrays), n_images),
            "sklearn_sleep: EDF file, filtered, to arrays": (
                lambda: [
                    image.shape
                    for image in WaveformImageRenderer("sleepvlm", context=[0]).transform(
                        images.epochs
                    )
                ],
                n_images,
            ),
            "a PNG file of an array": (
                lambda: Image.fromarray(drawn).save(io.BytesIO(), format="png"),
                1,
            ),
            "Pillow: a line for each channel": (
                lambda: [draw_with_pillow(epoch) for epoch in some],
                len(some),
            ),
        }
        if options.peer is not None:
            render, file = load_peer(options.peer), str(Path(folder) / "peer" / "page.png")
            tasks["SleepVLM, matplotlib"] = (
                lambda: [render(epoch, file) for epoch in some],
                len(some),
            )
            render(some[0], file)
            theirs = np.asarray(Image.open(file).convert("RGB"))
            similarity = structural_similarity(drawn, theirs, channel_axis=2)
            print(f"Structural similarity with SleepVLM's image: {similarity:.3f}")
        seconds = measure({name: run for name, (run, _) in tasks.items()}, options.repetitions)
    each = {name: seconds[name] / n for name, (_, n) in tasks.items()}
    ours = each["sklearn_sleep: samples to arrays"]
    rows = [
        [name, f"{1e3 * value:.2f}", f"{1 / value:.0f}", f"{value / ours:.1f}"]
        for name, value in each.items()
    ]
    print(describe_environment(["numpy", "pillow", "matplotlib"]))
    print(f"{n_images} images of {MONTAGE.width} x {MONTAGE.height} pixels, one process")
    print(format_table(["renderer", "ms an image", "images a second", "times ours"], rows))


if __name__ == "__main__":
    main()
