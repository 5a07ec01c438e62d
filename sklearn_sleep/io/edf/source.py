"""EDFSource: the wanted signals of one EDF or BDF file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.core.channels import Channels, Derivation, DerivationsMixin, derive_signals
from sklearn_sleep.core.signals import SignalDefinition, count_epochs
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import EDFError
from sklearn_sleep.io.edf.header import EDFHeader, read_edf_header
from sklearn_sleep.io.edf.samples import check_scale, read_edf_samples


@dataclass(frozen=True)
class EmptySource:
    """A recording of which no signal can be read, so that its rows keep their places."""

    path: str
    n_epochs: int
    subject: str = ""
    dataset: str = ""
    start: datetime | None = None
    names: tuple[str, ...] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The file; there are no samples."""
        return {"path": self.path}

    def signal(self, name: str) -> Signal:
        """Raise, since there are no signals."""
        raise KeyError(name)


@dataclass(frozen=True)
class EDFSource(DerivationsMixin):
    """The wanted signals of one file, as its header describes them.

    `size` in bytes and `modified`, the time of the last change in ns, tell that the file is still
    the same. `subject` and `dataset` are empty where they are not known.
    """

    header: EDFHeader
    derivations: tuple[Derivation, ...]
    n_epochs: int
    size: int
    modified: int
    subject: str = ""
    dataset: str = ""

    @property
    def path(self) -> str:
        """The file."""
        return self.header.path

    @property
    def start(self) -> datetime | None:
        """Local time of the first sample."""
        return self.header.start

    @property
    def identity(self) -> Mapping[str, Any]:
        """The file's place, size and time, and which channels stand for which signals."""
        return {
            "path": os.path.realpath(self.path),
            "size": self.size,
            "modified": self.modified,
            "signals": self.identify(lambda p: [p.channel.index, p.scale, p.offset]),
        }

    def read(self, derivation: Derivation) -> SampleArray:
        """Return the samples of a signal, (n_samples,)."""
        status = Path(self.path).stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            raise EDFError(
                f"{self.path}: the file has changed since its header was read. "
                "Run the pipeline again from EDFReader."
            )
        first, *references = (
            read_edf_samples(self.header, part.channel, scale=part.scale, offset=part.offset)
            for part in derivation.parts
        )
        for reference in references:
            first -= reference
        return first


def open_edf(
    path: str,
    definitions: Sequence[SignalDefinition],
    *,
    channels: Mapping[str, Any],
    units: Mapping[str, str],
    subject: str = "",
    dataset: str = "",
) -> EDFSource:
    """Find the wanted signals in a file's header; see `derive_signals`."""
    header = read_edf_header(path)
    status = Path(path).stat()
    return EDFSource(
        replace(header, channels=()),
        derive_signals(channels_of(header), definitions, channels=channels, units=units),
        count_epochs(header.duration),
        status.st_size,
        status.st_mtime_ns,
        subject,
        dataset,
    )


def channels_of(header: EDFHeader) -> Channels:
    """Return the channels that a header describes, from which signals are chosen."""
    check = partial(check_scale, header.path)
    return Channels(header.path, header.channels, "field 'physical dimension'", check)
