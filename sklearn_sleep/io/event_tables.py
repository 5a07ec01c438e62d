"""Event tables: what was scored or noted beside the stages of a night."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.events import Event
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.formats import HYPNOGRAM_FORMATS
from sklearn_sleep.io.hypnograms.reading import as_clock, check_names, read_in_format


def read_events(
    path: str | os.PathLike[str],
    *,
    recording_start: datetime | None = None,
    stage_names: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    r"""Read what was scored beside the stages of a night: apnoeas, desaturations, arousals, notes.

    The format is told from the content of the file, as `read_hypnogram` does: NSRR XML (both
    schemas), Compumedics Profusion XML, EDF+ and BDF+ annotations, event files and sleep profiles
    of Somnomedics Domino, RemLogic event lists (CAP), WSC ``.allscore.txt``, tables (CSV) with a
    column ``onset`` and a text in each row, and what you add to
    `sklearn_sleep.io.HYPNOGRAM_FORMATS`. The file need not hold stages.

    Each text that is no stage is an event. One that says that an epoch is unscored (a movement, an
    artefact, unknown) is an event too where it lies within a scored epoch, and leaves the stage of
    that epoch as it is; those that name an artefact, or lights on, always are.

    Parameters
    ----------
    path : str or path-like
        The annotation file.
    recording_start : datetime, optional
        When the recording starts, as its header tells. Times of day are placed by it, so that
        Domino, RemLogic and tables of such times need it; those of EDF+ files and of
        ``.allscore.txt`` are compared with it, as in `read_hypnogram`.
    stage_names : Mapping of str to str, default=None
        Which texts of the file are stages, where it is no common name: ``{"Wach": "W"}``.
    columns : Mapping of str to str, default=None
        Which column of a table is its ``"event"``, ``"onset"``, ``"duration"``, ``"end"``,
        ``"channel"`` or ``"stage"``, where its name is none of the common ones.

    Returns
    -------
    pandas.DataFrame of shape (n_events, 4)
        A row each event, in order of onset, without a row if the file has none:

        - ``onset``, float64: seconds from the start of the recording, negative before it;
        - ``duration``, float64: seconds, NaN where the file tells none;
        - ``event``, str: what it is, as the file writes it. Where NSRR separates its own name from
          the scorer's by ``|``, its own is given (``Hypopnea|Hypopnea`` is ``Hypopnea``), and the
          duration in the texts of an ``.allscore.txt`` is taken out of them;
        - ``channel``, str: where it was seen, empty where the file does not tell.

    Raises
    ------
    HypnogramError
        The format is not known or holds no events at all (WSC ``.stg.txt``, the workbooks of
        ISRUC, a stage a line), or a time cannot be understood. The message names the file and the
        place in it.
    EDFError
        The header of an EDF file cannot be read.
    ValueError
        A parameter has an impossible value.
    OSError
        The file cannot be opened.

    Warns
    -----
    HypnogramWarning
        An EDF+ file starts at another time than the recording.

    See Also
    --------
    read_hypnogram : The stages of the same files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "night.csv")
    ...     _ = path.write_text(
    ...         "onset,duration,description,channel\n0,30,W,\n30,30,N1,\n41.5,12,Hypopnea,Flow"
    ...     )
    ...     read_events(path)
       onset  duration     event channel
    0   41.5      12.0  Hypopnea    Flow
    """
    check_names(stage_names, columns)
    options = ReadOptions(
        recording_start=as_clock(recording_start), stage_names=stage_names, columns=columns
    )
    file = AnnotationFile(Path(path), options)

    def reader(
        format_: HypnogramFormat,
    ) -> Callable[[AnnotationFile, ReadOptions], Sequence[Event]]:
        if format_.events is None:
            names = [known.name for known in HYPNOGRAM_FORMATS.values() if known.events]
            raise HypnogramError(
                f"{path}: {format_.name} holds stages and no events. Formats that hold events are "
                f"{', '.join(names)}."
            )
        return format_.events

    events = read_in_format(file, reader)
    for number, event in enumerate(events, start=1):
        if not np.isfinite(event.onset) or event.duration < 0 or np.isinf(event.duration):
            raise HypnogramError(
                f"{path}: event {number}, {event.event!r}, starts {event.onset:g} s after the "
                f"recording and lasts {event.duration:g} s. Correct or remove it."
            )
    types = {"onset": np.float64, "duration": np.float64, "event": str, "channel": str}
    table = pd.DataFrame(
        {name: pd.Series([getattr(e, name) for e in events], dtype=t) for name, t in types.items()}
    )
    return table.sort_values("onset", kind="stable", ignore_index=True)
