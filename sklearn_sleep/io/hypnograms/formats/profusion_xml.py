"""Compumedics Profusion XML: ``SleepStages`` lists the R&K code of every epoch."""

from sklearn_sleep.exceptions import HypnogramError
from sklearn_sleep.io.hypnograms.format import AnnotationFile, HypnogramFormat, ReadOptions
from sklearn_sleep.io.hypnograms.stage_annotations import (
    StageAnnotations,
    parse_seconds,
)


def _read(file: AnnotationFile, options: ReadOptions) -> StageAnnotations:
    path = file.path
    text = file.root.findtext("EpochLength", "").strip()
    epoch_duration = parse_seconds(text, f"{path}: EpochLength")
    stage = [
        options.stage((element.text or "").strip(), path, f"SleepStage {number}")
        for number, element in enumerate(file.root.iterfind("SleepStages/SleepStage"), start=1)
    ]
    if not stage:
        raise HypnogramError(
            f"{path}: no SleepStages/SleepStage element in this Profusion file. Was the night "
            "scored?"
        )
    return StageAnnotations.from_epochs(stage, epoch_duration)


FORMAT = HypnogramFormat(
    "Compumedics Profusion XML",
    recognises=lambda file: file.root.tag == "CMPStudyConfig",
    read=_read,
    origin="Compumedics; NSRR beside its own XML",
)
