"""The signals of an EDF or BDF file, as their headers describe them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from sklearn_sleep.io.edf.fields import parse_integer, parse_signal_numbers
from sklearn_sleep.io.edf.messages import edf_error

__all__ = ["EDFChannel", "build_channels"]


@dataclass(frozen=True, slots=True)
class EDFChannel:
    """One signal of an EDF or BDF file, as its header describes it.

    Attributes
    ----------
    index : int
        Position in the file, annotation signals counted.
    label, unit, transducer, prefiltering : str
        The fields "label", "physical dimension", "transducer type" and "prefiltering".
    physical_minimum, physical_maximum : float
        In `unit`; NaN where the header's text is no number.
    digital_minimum, digital_maximum : int or None
        Stored values that mean `physical_minimum` and `physical_maximum`; None where the header's
        text is no whole number.
    samples_per_record : int
        Samples in a data record.
    sampling_frequency : float
        In Hz; NaN where records have no duration, as in files of annotations.
    offset : int
        Bytes from the start of a data record to the signal's first sample.

    Examples
    --------
    >>> EDFChannel(0, "ECG", "mV", "", "", -1.0, 1.0, -2048, 2047, 125, 125.0, 0).unit
    'mV'
    """

    index: int
    label: str
    unit: str
    transducer: str
    prefiltering: str
    physical_minimum: float
    physical_maximum: float
    digital_minimum: int | None
    digital_maximum: int | None
    samples_per_record: int
    sampling_frequency: float
    offset: int


def build_channels(
    path: str, fields: dict[str, list[str]], record_duration: float, sample_bytes: int
) -> tuple[EDFChannel, ...]:
    """Return the signals that the fields of their headers describe.

    A scale that cannot be read stops nobody here: it is an error when its signal is read.

    Parameters
    ----------
    path : str
        The file, for messages.
    fields : dict of str to list of str
        The texts of each field, a text per signal.
    record_duration : float
        Seconds; 0 in files of annotations.
    sample_bytes : int
        Bytes of a stored sample.

    Returns
    -------
    tuple of EDFChannel
        All signals in the order of the file, annotation signals among them.

    Raises
    ------
    EDFError
        If a number of samples in a data record is not a whole number of 0 or more, or all are 0.

    Warns
    -----
    EDFRepairWarning
        If a physical minimum or maximum has a decimal comma.

    Examples
    --------
    >>> from sklearn_sleep.io.edf.fields import SIGNAL_FIELDS
    >>> texts = ("ECG", "", "mV", "-1", "1", "-2048", "2047", "", "250", "")
    >>> fields = {name: [text] for name, text in zip(SIGNAL_FIELDS, texts, strict=True)}
    >>> (ecg,) = build_channels("night.edf", fields, record_duration=2.0, sample_bytes=2)
    >>> ecg.sampling_frequency
    125.0
    """
    labels = fields["label"]
    counts = _read_samples_per_record(path, fields)
    ends = list(accumulate(counts))
    minima, maxima = (
        parse_signal_numbers(path, name, fields[name], labels)
        for name in ("physical minimum", "physical maximum")
    )
    return tuple(
        EDFChannel(
            index,
            label,
            fields["physical dimension"][index],
            fields["transducer type"][index],
            fields["prefiltering"][index],
            minima[index],
            maxima[index],
            parse_integer(fields["digital minimum"][index]),
            parse_integer(fields["digital maximum"][index]),
            counts[index],
            counts[index] / record_duration if record_duration else math.nan,
            (ends[index] - counts[index]) * sample_bytes,
        )
        for index, label in enumerate(labels)
    )


def _read_samples_per_record(path: str, fields: dict[str, list[str]]) -> list[int]:
    name = "number of samples in a data record"
    counts: list[int] = []
    for text, label in zip(fields[name], fields["label"], strict=True):
        count = parse_integer(text)
        if count is None or count < 0:
            remedy = "without it no signal can be found in the file; copy or export it again"
            raise edf_error(path, name, text, remedy, channel=label)
        counts.append(count)
    if not any(counts):
        remedy = "no channel has samples, so there is nothing to read; export the recording again"
        raise edf_error(path, name, 0, remedy)
    return counts
