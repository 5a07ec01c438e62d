from .epoch_tables import epoch_table as epoch_table
from .event_tables import read_events as read_events
from .hypnograms.events import Event as Event
from .hypnograms.format import (
    AnnotationFile as AnnotationFile,
    HypnogramFormat as HypnogramFormat,
    ReadOptions as ReadOptions,
)
from .hypnograms.formats import HYPNOGRAM_FORMATS as HYPNOGRAM_FORMATS
from .hypnograms.reading import read_hypnogram as read_hypnogram
from .hypnograms.stage_annotations import StageAnnotations as StageAnnotations
