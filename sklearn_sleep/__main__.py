"""The command line: ``python -m sklearn_sleep demo | train | predict | ingest``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sklearn_sleep import commands
from sklearn_sleep.exceptions import EDFError, HypnogramError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the status is 0, or 1 where the user's input was at fault."""
    options = vars(_make_parser().parse_args(arguments))
    try:
        # A command is imported now, so that --help answers at once; its options are its parameters.
        run = getattr(commands, options.pop("run"))
        run(**options)
    except (EDFError, HypnogramError, FileNotFoundError, ImportError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_sleep", description="Stage sleep from polysomnography."
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")

    demo = subparsers.add_parser(
        "demo", help="make a synthetic cohort, train on it and stage held-out nights"
    )
    demo.add_argument("--out", type=Path, default=Path("sleep-demo"), help="folder for the results")
    demo.add_argument("--subjects", type=int, default=16, help="subjects of the cohort")
    demo.add_argument("--hours", type=float, default=2.0, help="length of a night")
    demo.add_argument("--epochs", type=int, default=20, help="passes over the nights")
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(run="run_demo")

    train = subparsers.add_parser("train", help="train on a folder of EDF files and hypnograms")
    train.add_argument("cohort", type=Path, metavar="COHORT_FOLDER")
    train.add_argument("--save", type=Path, required=True, metavar="MODEL", help="model folder")
    train.add_argument("--signals", nargs="+", default=["ECG", "PPG", "ABD", "THX"])
    train.add_argument("--stages", type=int, choices=(2, 3, 4, 5), default=4)
    train.add_argument("--epochs", type=int, default=20, help="passes over the nights")
    train.add_argument("--folds", type=int, default=0, help="cross-validate with so many folds")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run="run_train")

    predict = subparsers.add_parser("predict", help="stage EDF files with a saved model")
    predict.add_argument("model", type=Path, metavar="MODEL")
    predict.add_argument("nights", type=Path, nargs="+", metavar="NIGHT.edf")
    predict.add_argument("--out", type=Path, required=True, metavar="DIR")
    predict.set_defaults(run="run_predict")

    ingest = subparsers.add_parser(
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
    ingest.set_defaults(run="run_ingest")
    return parser


if __name__ == "__main__":
    sys.exit(main())
