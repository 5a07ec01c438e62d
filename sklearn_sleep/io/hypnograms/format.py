"""What a hypnogram format is, and the annotation file that it looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final, Literal
from xml.etree.ElementTree import Element, ParseError  # defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.files import UTF16_MARKS, decode, open_file, read_file
from sklearn_sleep.io.hypnograms.stage_annotations import StageAnnotations

EDF_MAGIC: Final = (b"0       ", b"\xffBIOSEMI")

StageCodes = Literal["r&k", "aasm"]


class AnnotationFile:
    """An annotation file of any format, of which no more is read than a format asks for.

    Parameters
    ----------
    path : Path
        The file.

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

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_file(path, HypnogramError) as file:
            self.head = file.read(512)

    @property
    def is_text(self) -> bool:
        """Whether the file is text; EDF begins with text, but may be large and is none."""
        if self.head.startswith(EDF_MAGIC):
            return False
        return b"\0" not in self.head or self.head.startswith(UTF16_MARKS)

    @cached_property
    def text(self) -> str:
        """The whole text, empty if it is not text."""
        return decode(read_file(self.path, HypnogramError)) if self.is_text else ""

    @cached_property
    def lines(self) -> list[str]:
        """Lines of the text."""
        return self.text.splitlines()

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
class ReadOptions:
    """What `read_hypnogram` was told that a format may need, see there."""

    n_epochs: int | None = None
    recording_start: datetime | None = None
    epoch_duration: float = 30.0
    stage_codes: StageCodes | None = None


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
