"""How a cohort lies on disk, as plain data: folders, names, formats and defects."""

from dataclasses import dataclass

from sklearn_sleep.datasets.recorder import Site


@dataclass(frozen=True)
class AnnotationFile:
    """A file beside a recording: its path, with ``{number}``, and the format that is written.

    The format is one of `sklearn_sleep.simulation.recorder.annotations.WRITERS`; the second scorer
    notes the true course of the night.
    """

    path: str
    format: str
    scorer: int = 1


@dataclass(frozen=True)
class Visit:
    """What a night of a person leaves on disk.

    Parameters
    ----------
    name : str
        The visit as the loader calls it.
    site : Site
        The recorder.
    recording : str
        Path of the recording below the cohort's folder; ``{number}`` stands for the number.
    annotations : tuple of AnnotationFile
        The first one has the stages that a loader returns.
    without_scale : tuple of str, default=()
        Labels of channels whose physical minimum and maximum are both written as 0.
    """

    name: str
    site: Site
    recording: str
    annotations: tuple[AnnotationFile, ...]
    without_scale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a cohort lies on disk, for the synthetic one that `make_cohort` writes.

    Parameters
    ----------
    people : tuple of (str, tuple of Visit)
        Kinds of people, dealt out in turn: the subject, in which ``{number}`` stands for the
        number, and the visits.
    first_number : int
        Number of the first person.
    wake_around : tuple of float, default=(0.0, 0.0)
        Wake before and after the night, as parts of its length.
    ends_scored : bool, default=False
        The format has no word for an unscored epoch: both ends of the night are wake.
    truth : str
        Path of what is known of a night; by default hidden, since no provider's download has it.
    """

    people: tuple[tuple[str, tuple[Visit, ...]], ...]
    first_number: int
    wake_around: tuple[float, float] = (0.0, 0.0)
    ends_scored: bool = False
    truth: str = ".truth/{subject}-visit{visit}.npz"
