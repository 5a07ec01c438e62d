"""Time and memory of the network: staging a ten-hour night, and a step of training.

The full-size network of the published wav2sleep (128 features, 16 to 128 channels) stages a night
of 1,200 epochs from the ECG alone and from ECG, PPG, abdominal and thoracic respiration,
differentiates a night of all four, and differentiates nights whose signals are masked as in the
paper. Ours runs as `Wav2SleepClassifier` runs it; the published implementation, which computes in
float32 and computes masked signals too, runs beside it from a checkout that ``--peer`` names, with
the same weights. Every measurement has a process of its own, so that memory is its own too; ours
and the peer's take turns.
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

from sklearn_sleep.core.masking import draw_kept_signals
from sklearn_sleep.networks import Wav2Sleep, make_wav2sleep
from sklearn_sleep.staging.wav2sleep import PUBLISHED_MASK_PROBABILITY as MASKING
from sklearn_sleep.training.night_learning import map_nights

SAMPLES_PER_EPOCH = {"ABD": 256, "THX": 256, "ECG": 1024, "PPG": 1024}
SIGNALS_OF_TASK = {
    "staging, ECG": ("ECG",),
    "staging, four signals": tuple(SAMPLES_PER_EPOCH),
    "training, four signals": tuple(SAMPLES_PER_EPOCH),
    "training, the paper's masking": tuple(SAMPLES_PER_EPOCH),
}
N_MASKED_NIGHTS = 8
PEER = "peer"
BACKUP = ("ECG", "PPG")
OURS = ("float32", "bfloat16", "checkpointing", "compile")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, help="checkout of github.com/joncarter1/wav2sleep")
    parser.add_argument("--repetitions", type=int, default=3, help="processes for each figure")
    parser.add_argument("--epochs", type=int, default=1200, help="30-second epochs of the night")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ways", nargs="+", choices=OURS, default=OURS[:3])
    parser.add_argument("--tasks", nargs="+", choices=SIGNALS_OF_TASK, default=[*SIGNALS_OF_TASK])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--logits", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options)))
        return
    print(describe_environment(["torch", "numpy", "sklearn_sleep"]))
    if options.device != "cpu":
        print(torch.cuda.get_device_name(options.device))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in options.tasks:
            rows += measure_task(task, options, Path(folder))
    header = ["task", "", "seconds a night", "GB", "times as fast", "memory", "logits"]
    print(format_table(header, rows))
    if options.peer is None:
        print("Name a checkout of the published implementation with --peer to compare with it.")


def measure_task(task: str, options: argparse.Namespace, folder: Path) -> list[list[str]]:
    """Return a row of the table for each way to compute a task."""
    ways = [way for way in options.ways if way != "checkpointing" or task.startswith("training")]
    if options.peer is not None:
        ways = [PEER, *ways]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(options.repetitions):
        for way in ways:
            found[way].append(in_own_process(task, way, options, folder / f"{way}.npy"))
    medians = {
        way: {key: statistics.median(r[key] for r in results) for key in ("seconds", "gigabytes")}
        for way, results in found.items()
    }
    rows = []
    for way in ways:
        row = [task, way, *(f"{medians[way][key]:.2f}" for key in ("seconds", "gigabytes"))]
        if way == PEER or options.peer is None:
            rows.append([*row, "", "", ""])
            continue
        ratios = {key: medians[PEER][key] / medians[way][key] for key in medians[way]}
        logits, expected = (np.load(folder / f"{name}.npy") for name in (way, PEER))
        rows.append(
            [
                *row,
                f"{ratios['seconds']:.1f}",
                f"{1 / ratios['gigabytes']:.2f}",
                f"{np.abs(logits - expected).max():.0e}",
            ]
        )
    return rows


def in_own_process(
    task: str, way: str, options: argparse.Namespace, logits: Path
) -> dict[str, float]:
    """Measure a task in a new process."""
    command = [sys.executable, __file__, "--measure", task, way, "--epochs", str(options.epochs)]
    command += ["--logits", str(logits), "--device", options.device]
    if way == PEER:
        command += ["--peer", str(options.peer)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run a task twice, the first time to warm up; return its time and memory."""
    task, way = options.measure
    torch.manual_seed(0)
    night = {
        name: torch.randn(1, options.epochs, SAMPLES_PER_EPOCH[name])
        for name in SIGNALS_OF_TASK[task]
    }
    network = make_wav2sleep(
        SAMPLES_PER_EPOCH, n_classes=4, gradient_checkpointing=way == "checkpointing"
    )
    nights = [night]
    if "masking" in task:
        rng = np.random.default_rng(0)
        nights = [
            {name: night[name] for name in draw_kept_signals(tuple(night), MASKING, BACKUP, rng)}
            for _ in range(N_MASKED_NIGHTS)
        ]
    is_training = task.startswith("training")
    if way == PEER:
        run = make_peers(options, network, is_training, masked_from=tuple(night))
    else:
        run = make_ours(options, network, is_training, way)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    logits = [run(x) for x in nights[:2]]
    synchronize(options.device)
    started = time.perf_counter()
    for x in nights:
        run(x)
    synchronize(options.device)
    seconds = (time.perf_counter() - started) / len(nights)
    gigabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    if options.device != "cpu":
        gigabytes = torch.cuda.max_memory_allocated(options.device) / 2**30
    np.save(options.logits, logits[0].detach().float().cpu().numpy())
    return {"seconds": seconds, "gigabytes": gigabytes}


def synchronize(device: str) -> None:
    """Wait until a GPU has done what it was told."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def make_ours(
    options: argparse.Namespace, network: Wav2Sleep, is_training: bool, way: str
) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """Return a function that runs a night as the classifier does."""
    network.eval().to(options.device)  # without dropout, so that logits can be compared
    infer: Any = torch.compile(network) if way == "compile" else network
    kind = torch.device(options.device).type
    parameters = list(network.parameters())

    def stage(x: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, way == "bfloat16"):
            return infer({name: samples.to(options.device) for name, samples in x.items()})

    def train(x: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.autocast(kind, torch.bfloat16, way == "bfloat16"):
            logits = infer({name: samples.to(options.device) for name, samples in x.items()})
        torch.autograd.grad(logits.float().logsumexp(-1).sum(), parameters, allow_unused=True)
        return logits

    function = train if is_training else stage
    return lambda x: map_nights(function, [x], device=torch.device(options.device))[0]


def make_peers(
    options: argparse.Namespace,
    network: Wav2Sleep,
    is_training: bool,
    masked_from: tuple[str, ...],
) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """Return a function that runs a night in the published implementation.

    A masked signal is one of infinite samples there.
    """
    peer = options.peer
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
    published.eval().to(options.device)

    def as_published(x: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: (
                x[name].flatten(1).to(options.device, copy=True)
                if name in x
                else torch.full((1, options.epochs * SAMPLES_PER_EPOCH[name]), -torch.inf).to(
                    options.device
                )
            )
            for name in masked_from
        }

    def stage(x: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.inference_mode():
            return published(as_published(x))

    def train(x: dict[str, torch.Tensor]) -> torch.Tensor:
        published.zero_grad()
        logits = published(as_published(x))
        logits.logsumexp(-1).sum().backward()
        return logits

    return train if is_training else stage


if __name__ == "__main__":
    main()
