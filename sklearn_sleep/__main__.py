"""The command line: ``python -m sklearn_sleep demo | train | predict | ingest``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sklearn_sleep import commands
from sklearn_sleep.exceptions import SleepError

_STATUS = """exit status:
  0    everything was done
  1    nothing came of it
  2    the command was not used as it can be, or would write over something
  3    some nights were done and others not
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, as ``--help`` lists them."""
    options = vars(_make_parser().parse_args(arguments))
    refusal = _refusal(options.get("save") or options["out"], options.pop("force", True))
    if refusal:
        return _complain(refusal, 2)
    try:
        # A command is imported now, so that --help answers at once; its options are its parameters.
        run = getattr(commands, options.pop("run"))
        return run(**options) or 0
    except (SleepError, OSError, ImportError, ValueError) as error:
        return _complain(f"{type(error).__name__}: {error}", 1)
    except KeyboardInterrupt as interrupt:
        return _complain(" ".join(["Interrupted.", *getattr(interrupt, "__notes__", ())]), 130)


def _complain(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status


def _refusal(folder: Path, force: bool) -> str:
    """Return why results are not to be written into a folder, or nothing."""
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file. Give a folder."
    if not force and folder.is_dir() and any(folder.iterdir()):
        return (
            f"{folder} is not empty. Give another folder, or --force to write over what is there."
        )
    return ""


def _from(minimum: int, *more: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if value < minimum and value not in more:
            others = "".join(f"{one} or " for one in more)
            raise argparse.ArgumentTypeError(f"{value} must be {others}from {minimum}")
        return value

    return convert


class _StorePairs(argparse.Action):
    """Store ``NAME=VALUE …`` as a dict; `const` is an example, and several values are a list."""

    split = staticmethod(str.partition)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        pairs = [self.split(value, "=") for value in values]
        if not all(name and value for name, _, value in pairs):
            told = " ".join(values)
            parser.error(f"{option}: give {self.metavar}, such as {self.const}, not {told}")
        stored = getattr(namespace, self.dest) or {}
        for name, _, value in pairs:
            before = stored.get(name, [])
            several = [*([before] if isinstance(before, str) else before), value]
            stored[name] = several if len(several) > 1 else value
        setattr(namespace, self.dest, stored)


class _StoreStages(_StorePairs):
    """Store ``TEXT=STAGE …`` as a dict; the text may have a ``=``."""

    split = staticmethod(str.rpartition)


def _add_reader_options(parser: argparse.ArgumentParser) -> None:
    """Add what `EDFReader` is told of files."""
    parser.add_argument(
        "--channels",
        action=_StorePairs,
        nargs="+",
        metavar="SIGNAL=LABEL",
        const="ECG='ECG 2'",
        help="channels to take, where labels are not known: ECG='ECG 2' EEG=C4-M1",
    )
    parser.add_argument(
        "--units",
        action=_StorePairs,
        nargs="+",
        metavar="SIGNAL=UNIT",
        const="EOG-L=mV",
        help="units to give signals in, if not the common ones",
    )


def _add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add what `load_cohort` is told of a folder."""
    parser.add_argument(
        "--subject",
        metavar="PATTERN",
        help="regular expression that finds the person in a recording's name: 'P[0-9]+'",
    )
    parser.add_argument(
        "--annotation",
        metavar="PATTERN",
        help="regular expression of what follows it in a hypnogram's name: '_scorer2[.]csv'",
    )
    parser.add_argument(
        "--stage-names",
        action=_StoreStages,
        nargs="+",
        metavar="TEXT=STAGE",
        const="Wach=W",
        help="what texts of the hypnograms mean, where it is not known: Wach=W A=?",
    )
    parser.add_argument(
        "--stage-codes",
        choices=("r&k", "aasm"),
        help="what integers in text files mean: 4 is stage 4 (r&k) or REM (aasm)",
    )
    parser.add_argument(
        "--epoch-duration",
        type=float,
        metavar="SECONDS",
        help="of hypnograms that do not tell it (30)",
    )
    parser.add_argument(
        "--columns",
        action=_StorePairs,
        nargs="+",
        metavar="NAME=COLUMN",
        const="onset=Begin",
        help="columns of hypnograms, where their names are not known: onset=Begin",
    )


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="write into a folder that is in use")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_sleep",
        description="Stage sleep from polysomnography.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")

    demo = subparsers.add_parser(
        "demo", help="make a synthetic cohort, train on it and stage held-out nights"
    )
    demo.add_argument("--out", type=Path, default=Path("sleep-demo"), help="folder for the results")
    demo.add_argument("--subjects", type=_from(1), default=16, help="subjects of the cohort")
    demo.add_argument("--hours", type=float, default=2.0, help="length of a night")
    demo.add_argument(
        "--epochs",
        type=_from(1),
        default=36,
        help="passes over the training nights",
    )
    demo.add_argument("--seed", type=_from(0), default=0)
    _add_force(demo)
    demo.set_defaults(run="run_demo")

    train = subparsers.add_parser("train", help="train on a folder of EDF files and hypnograms")
    train.add_argument("cohort", type=Path, metavar="COHORT_FOLDER")
    train.add_argument("--save", type=Path, required=True, metavar="MODEL", help="model folder")
    train.add_argument("--signals", nargs="+", default=["ECG", "PPG", "ABD", "THX"])
    train.add_argument("--stages", type=int, choices=(2, 3, 4, 5), default=4)
    train.add_argument(
        "--epochs", type=_from(1), help="passes over the nights; by default as many as suit them"
    )
    train.add_argument(
        "--folds", type=_from(2, 0), default=0, help="cross-validate with so many folds"
    )
    train.add_argument("--seed", type=_from(0), default=0)
    _add_reader_options(train)
    _add_folder_options(train)
    _add_force(train)
    train.set_defaults(run="run_train")

    predict = subparsers.add_parser("predict", help="stage EDF files with a saved model")
    predict.add_argument("model", type=Path, metavar="MODEL")
    predict.add_argument("nights", type=Path, nargs="+", metavar="NIGHT.edf")
    predict.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_reader_options(predict)
    _add_force(predict)
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
        "--jobs", type=_from(1, -1), default=1, help="nights at the same time; -1: all cores"
    )
    _add_reader_options(ingest)
    _add_folder_options(ingest)
    ingest.set_defaults(run="run_ingest")
    return parser


if __name__ == "__main__":
    sys.exit(main())
