"""What a hypnogram format is, and the annotation file that it looks at."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from io import StringIO
from pathlib import Path
from typing import Final, Literal
from xml.etree.ElementTree import Element, ParseError  # defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sklearn_sleep.core.signals import EPOCH_DURATION
from sklearn_sleep.core.stage_vocabulary import fold, names_stage, parse_stage
from sklearn_sleep.core.stages import Stage
from sklearn_sleep.exceptions import HypnogramError, HypnogramWarning
from sklearn_sleep.io.edf.header import looks_like_edf
from sklearn_sleep.io.files import decode, open_file, read_file, utf16_encoding
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations, parse_stage_at

StageCodes = Literal["r&k", "aasm"]

_EXCEL_SEPARATOR: Final = re.compile(r"\Asep=.(?=\r?\n)", re.IGNORECASE)  # leaves a blank line

# Seconds of the pages that scoring software offers, and a stage a second.
_PAGES: Final = (1.0, 5.0, 10.0, 15.0, 20.0, 40.0, 60.0)


def _fits(scored: float, end: float, page: float) -> bool:
    """Return whether so many s scored in pages are the whole recording of `end` s or less."""
    return end - page < scored < end + max(page, EPOCH_DURATION)


@dataclass(frozen=True)
class ReadOptions:
    """What `read_hypnogram` was told that a format may need, see there."""

    n_epochs: int | None = None
    recording_start: datetime | None = None
    epoch_duration: float = EPOCH_DURATION
    stage_codes: StageCodes | None = None
    stage_names: Mapping[str, str] | None = None
    columns: Mapping[str, str] | None = None
    is_duration_told: bool = False

    @property
    def end(self) -> float | None:
        """Seconds from the recording's start to its end, if that is known."""
        return None if self.n_epochs is None else self.n_epochs * EPOCH_DURATION

    def duration_of(self, n_entries: int, path: Path) -> float:
        """Return the s of each of so many epochs of a file that tells nothing of their length.

        It is 30 s, unless the recording's length says that only another one fits.
        """
        if self.is_duration_told or self.end is None:
            return self.epoch_duration
        if _fits(n_entries * EPOCH_DURATION, self.end, EPOCH_DURATION):
            return EPOCH_DURATION
        fitting = [seconds for seconds in _PAGES if _fits(n_entries * seconds, self.end, seconds)]
        if not fitting:
            return EPOCH_DURATION
        warnings.warn(
            f"{path}: {n_entries} stages for a recording of {self.end:g} s were taken for pages of "
            f"{fitting[0]:g} s. Pass epoch_duration={fitting[0]:g} if this is so, 30 if it is not.",
            HypnogramWarning,
            stacklevel=6,
        )
        return fitting[0]

    def is_told(self, text: str) -> bool:
        """Return whether `stage_names` says what a text means."""
        return fold(text) in set(map(fold, self.stage_names or ()))

    def names_stage(self, text: str) -> bool:
        """Return whether a text names a stage."""
        return names_stage(text, self.stage_names)

    def stage(
        self, text: str, path: Path, place: str, own_names: Mapping[str, str] | None = None
    ) -> Stage:
        """Return the stage that a text names, or raise with the file and the place in it.

        `own_names` are those that the format defines, where they may mean another thing elsewhere.
        """
        names = {**(own_names or {}), **(self.stage_names or {})}
        return parse_stage_at(text, path, place, partial(parse_stage, stage_names=names))


def split_lines(text: str) -> list[str]:
    """Return lines with their ends; a form feed or what code pages have at 0x85 ends none."""
    return list(StringIO(text, newline=""))


class AnnotationFile:
    """An annotation file of any format, of which no more is read than a format asks for.

    Parameters
    ----------
    path : Path
        The file.
    options : ReadOptions
        What was told of it.

    Attributes
    ----------
    head : bytes
        The first 512 bytes.
    text : str
        The whole file, or nothing if it is not text.
    lines : list of str
        Lines of the text, blank ones too.
    first_line : str
        The first one that is not blank; empty if there is none.
    root : xml.etree.ElementTree.Element
        Root of the XML, without a tag if it is something else.
    """

    def __init__(self, path: Path, options: ReadOptions = ReadOptions()) -> None:
        self.path = path
        self.options = options
        with open_file(path, HypnogramError) as file:
            self.head = file.read(512)

    @cached_property
    def is_edf(self) -> bool:
        """Whether the file is EDF or BDF."""
        return looks_like_edf(self.head)

    @property
    def is_text(self) -> bool:
        """Whether the file is text; EDF begins with text, but may be large and is none."""
        if self.is_edf:
            return False
        return b"\0" not in self.head or bool(utf16_encoding(self.head))

    @cached_property
    def text(self) -> str:
        """The whole text, empty if it is not text; without what tells Excel the separator."""
        if not self.is_text:
            return ""
        return _EXCEL_SEPARATOR.sub("", decode(read_file(self.path, HypnogramError)))

    @cached_property
    def lines(self) -> list[str]:
        """Lines of the text."""
        return [line.rstrip("\r\n") for line in split_lines(self.text)]

    @cached_property
    def first_line(self) -> str:
        """The first line that is not blank; empty if there is none."""
        return next((line for line in self.lines if line.strip()), "")

    @cached_property
    def root(self) -> Element:
        """Root of the XML, without a tag if this is none; HypnogramError if it is damaged."""
        text = self.text.lstrip()
        if not text.startswith("<"):
            return Element("")
        try:
            # As text, whatever encoding it declares: exporters often declare another one.
            root: Element = fromstring(text)
        except DefusedXmlException as error:
            raise HypnogramError(
                f"{self.path}: the XML declares entities, which no annotation format needs and an "
                f"attack does ({error}). Get the file from its source again."
            ) from error
        except ParseError as error:
            raise HypnogramError(
                f"{self.path}: the XML is damaged or cut short ({error}). Get the file from its "
                "source again."
            ) from error
        return root


@dataclass(frozen=True)
class HypnogramFormat:
    """A format of annotation files: how it is told from others, and how it is read.

    Parameters
    ----------
    name : str
        As messages and tables list it.
    recognises : callable
        ``recognises(file: AnnotationFile) -> bool``, from the content and not from the name.
    read : callable
        ``read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations``.
    origin : str, default=""
        Who writes it, for the table of formats.
    entries : {"an epoch", "a stretch", "a change"}, default="an epoch"
        What an entry covers: an epoch; from its onset for as long as it says; or until the next
        entry, see `StageAnnotations.until_next_entry`.
    events : callable, optional
        ``events(file: AnnotationFile, options: ReadOptions) -> sequence of Event``, what was scored
        beside the stages. Without it the format holds none.
    examples : tuple of str, default=()
        Layouts, for the documentation: files of two epochs, W and N2, of a recording that begins at
        22:00. Of what is no text, rows of its table.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_sleep.io import HYPNOGRAM_FORMATS, StageAnnotations, read_hypnogram
    >>> mine = HypnogramFormat(
    ...     "one line of letters",
    ...     recognises=lambda file: file.first_line.startswith("Hypnogram: "),
    ...     read=lambda file, options: StageAnnotations.from_epochs(
    ...         ["WNR".index(letter) * 2 for letter in file.first_line.split()[1]], 30.0
    ...     ),
    ... )
    >>> HYPNOGRAM_FORMATS[mine.name] = mine
    >>> path = Path(tempfile.mkdtemp(), "night.txt")
    >>> _ = path.write_text("Hypnogram: WWNRN")
    >>> read_hypnogram(path)
    array([0, 0, 2, 4, 2])
    >>> del HYPNOGRAM_FORMATS[mine.name]
    """

    name: str
    recognises: Callable[[AnnotationFile], bool]
    read: Callable[[AnnotationFile, ReadOptions], StageAnnotations]
    origin: str = ""
    entries: Literal["an epoch", "a stretch", "a change"] = "an epoch"
    events: Callable[[AnnotationFile, ReadOptions], Sequence[Event]] | None = None
    examples: tuple[str, ...] = ()
