"""Time and memory of the network: staging a ten-hour night, and a step of training.

The full-size network of the published wav2sleep (128 features, 16 to 128 channels) stages a night
of 1,200 epochs from the ECG alone and from ECG, PPG, abdominal and thoracic respiration, and
differentiates a night of all four. Ours runs as `Wav2SleepClassifier` runs it; the published
implementation runs beside it, from a checkout that ``--peer`` names, with the same weights. Every
measurement has a process of its own, so that memory is its own too; ours and the peer's take turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from environment import describe_environment, format_table

from sklearn_sleep.classifiers.parallel import map_nights
from sklearn_sleep.networks import Wav2Sleep

SAMPLES_PER_EPOCH = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}
TASKS = {
    "staging, ECG": ("ECG",),
    "staging, four signals": tuple(SAMPLES_PER_EPOCH),
    "training step, four signals": tuple(SAMPLES_PER_EPOCH),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, help="checkout of github.com/joncarter1/wav2sleep")
    parser.add_argument("--repetitions", type=int, default=3, help="processes for each figure")
    parser.add_argument("--epochs", type=int, default=1200, help="30-second epochs of the night")
    parser.add_argument("--measure", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--logits", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options)))
        return
    print(describe_environment(["torch", "numpy", "sklearn_sleep"]))
    peers: list[Path | None] = [None] if options.peer is None else [None, options.peer]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in TASKS:
            found: dict[Path | None, list[dict[str, float]]] = {peer: [] for peer in peers}
            logits = {peer: Path(folder) / f"{i}.npy" for i, peer in enumerate(peers)}
            for _ in range(options.repetitions):
                for peer in peers:
                    found[peer].append(in_own_process(task, peer, options.epochs, logits[peer]))
            rows.append(describe(task, found, logits, options.peer))
    header = ["task", "ours s", "ours GB", "peer s", "peer GB", "times as fast", "memory", "logits"]
    print(format_table(header, rows))
    if options.peer is None:
        print("Name a checkout of the published implementation with --peer to compare with it.")


def describe(
    task: str,
    found: dict[Path | None, list[dict[str, float]]],
    logits: dict[Path | None, Path],
    peer: Path | None,
) -> list[str]:
    """Return a row of the table."""
    ours = {key: statistics.median(r[key] for r in found[None]) for key in ("seconds", "gigabytes")}
    row = [task, f"{ours['seconds']:.2f}", f"{ours['gigabytes']:.2f}"]
    if peer is None:
        return [*row, "", "", "", "", ""]
    theirs = {
        key: statistics.median(r[key] for r in found[peer]) for key in ("seconds", "gigabytes")
    }
    difference = np.abs(np.load(logits[None]) - np.load(logits[peer])).max()
    return [
        *row,
        f"{theirs['seconds']:.2f}",
        f"{theirs['gigabytes']:.2f}",
        f"{theirs['seconds'] / ours['seconds']:.1f}",
        f"{ours['gigabytes'] / theirs['gigabytes']:.2f}",
        f"{difference:.0e}",
    ]


def in_own_process(task: str, peer: Path | None, epochs: int, logits: Path) -> dict[str, float]:
    """Measure a task in a new process."""
    command = [sys.executable, __file__, "--measure", task, "--epochs", str(epochs)]
    command += ["--logits", str(logits)]
    if peer is not None:
        command += ["--peer", str(peer)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run a task twice, the first time to warm up; return its time and memory."""
    torch.manual_seed(0)
    night = {
        name: torch.randn(1, options.epochs, SAMPLES_PER_EPOCH[name])
        for name in TASKS[options.measure]
    }
    network = Wav2Sleep(SAMPLES_PER_EPOCH, n_classes=4)
    run: Callable[[], torch.Tensor]
    if options.peer is None:
        run = make_ours(network, night, options.measure)
    else:
        run = make_peers(options.peer, network, night, options.measure)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    logits = run()
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    np.save(options.logits, logits.detach().numpy())
    return {"seconds": seconds, "gigabytes": kilobytes / 2**20}


def make_ours(
    network: Wav2Sleep, night: dict[str, torch.Tensor], task: str
) -> Callable[[], torch.Tensor]:
    """Return a function that runs the task as the classifier does."""
    network.eval()  # without dropout, so that logits can be compared

    def stage(x: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.inference_mode():
            return network(x)

    def train(x: dict[str, torch.Tensor]) -> torch.Tensor:
        logits = network(x)
        torch.autograd.grad(
            logits.logsumexp(-1).sum(), list(network.parameters()), allow_unused=True
        )
        return logits

    function = train if task.startswith("training") else stage
    return lambda: map_nights(function, [night], device="cpu")[0]


def make_peers(
    peer: Path, network: Wav2Sleep, night: dict[str, torch.Tensor], task: str
) -> Callable[[], torch.Tensor]:
    """Return a function that runs the task in the published implementation."""
    # Its package imports more than its network needs.
    package = types.ModuleType("wav2sleep")
    package.__path__ = [str(peer / "src" / "wav2sleep")]
    sys.modules["wav2sleep"] = package
    warnings.simplefilter("ignore")
    models: Any = __import__("wav2sleep.models.wav2sleep", fromlist=["Wav2Sleep"])
    published = models.Wav2Sleep(
        models.SignalEncoders(
            {name: name for name in SAMPLES_PER_EPOCH}, 128, "gelu", chunk_causal=False
        ),
        models.MultiModalAttentionEmbedder(128, layers=2, dropout=0.1, dim_ff=512, nhead=8),
        models.SequenceCNN(128, dropout=0.1, norm="layer"),
        4,
    )
    published.load_state_dict(network.state_dict())
    published.eval()
    flat = {name: samples.flatten(1) for name, samples in night.items()}

    def stage() -> torch.Tensor:
        with torch.inference_mode():
            return published({name: samples.clone() for name, samples in flat.items()})

    def train() -> torch.Tensor:
        published.zero_grad()
        logits = published({name: samples.clone() for name, samples in flat.items()})
        logits.logsumexp(-1).sum().backward()
        return logits

    return train if task.startswith("training") else stage


if __name__ == "__main__":
    main()
