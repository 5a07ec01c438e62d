"""The command line: ``python -m sklearn_sleep demo | train | predict``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sklearn_sleep.exceptions import EDFError, HypnogramError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; those of the process if not given.

    Returns
    -------
    int
        Exit status: 0, or 1 where the user's input was at fault.
    """
    options = _make_parser().parse_args(arguments)
    try:
        options.run(options)
    except (EDFError, HypnogramError, FileNotFoundError, ImportError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_sleep", description="Stage sleep from polysomnography."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser(
        "demo", help="make a synthetic cohort, train on it and stage held-out nights"
    )
    demo.add_argument("--out", type=Path, default=Path("sleep-demo"), help="folder for the results")
    demo.add_argument("--subjects", type=int, default=16, help="subjects of the cohort")
    demo.add_argument("--hours", type=float, default=2.0, help="length of a night")
    demo.add_argument("--epochs", type=int, default=20, help="passes over the nights")
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(run=_demo)

    train = commands.add_parser("train", help="train on a folder of EDF files and hypnograms")
    train.add_argument("cohort", type=Path, metavar="COHORT_FOLDER")
    train.add_argument("--save", type=Path, required=True, metavar="MODEL", help="model folder")
    train.add_argument("--signals", nargs="+", default=["ECG", "PPG", "ABD", "THX"])
    train.add_argument("--stages", type=int, choices=(2, 3, 4, 5), default=4)
    train.add_argument("--epochs", type=int, default=20, help="passes over the nights")
    train.add_argument("--folds", type=int, default=0, help="cross-validate with so many folds")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="stage EDF files with a saved model")
    predict.add_argument("model", type=Path, metavar="MODEL")
    predict.add_argument("nights", type=Path, nargs="+", metavar="NIGHT.edf")
    predict.add_argument("--out", type=Path, required=True, metavar="DIR")
    predict.set_defaults(run=_predict)

    ingest = commands.add_parser(
        "ingest", help="process a cohort's folder once, and report on every night"
    )
    ingest.add_argument("cohort", type=Path, metavar="COHORT_FOLDER")
    ingest.add_argument("--out", type=Path, required=True, metavar="STORE")
    ingest.add_argument(
        "--dataset", help="the public cohort whose layout the folder has, such as shhs"
    )
    ingest.add_argument("--signals", nargs="+", default=["ECG", "PPG", "ABD", "THX"])
    ingest.add_argument("--format", choices=("cache", "parquet"), default="cache")
    ingest.add_argument(
        "--jobs", type=int, default=1, help="nights at the same time; -1: all cores"
    )
    ingest.set_defaults(run=_ingest)
    return parser


# Each command imports what it needs, so that --help answers at once.


def _demo(options: argparse.Namespace) -> None:
    from sklearn_sleep.commands.demo import run_demo

    run_demo(
        options.out,
        n_subjects=options.subjects,
        hours=options.hours,
        max_epochs=options.epochs,
        random_state=options.seed,
    )


def _train(options: argparse.Namespace) -> None:
    from sklearn_sleep.commands.train import run_train

    run_train(
        options.cohort,
        options.save,
        signals=options.signals,
        n_classes=options.stages,
        max_epochs=options.epochs,
        n_folds=options.folds,
        random_state=options.seed,
    )


def _ingest(options: argparse.Namespace) -> None:
    from sklearn_sleep.commands.ingest import run_ingest

    run_ingest(
        options.cohort,
        options.out,
        dataset=options.dataset,
        signals=options.signals,
        format=options.format,
        n_jobs=options.jobs,
    )


def _predict(options: argparse.Namespace) -> None:
    from sklearn_sleep.commands.predict import run_predict

    run_predict(options.model, options.nights, options.out)


if __name__ == "__main__":
    sys.exit(main())
