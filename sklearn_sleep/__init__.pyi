# The public names, listed once: lazy_loader, type checkers and the tests read them here.
from .core.epochs import Epochs as Epochs
from .core.recording import Recording as Recording
from .core.signals import (
    SIGNALS as SIGNALS,
    SignalDefinition as SignalDefinition,
)
from .core.stage_schemes import (
    merge_stages as merge_stages,
    stage_names as stage_names,
)
from .core.stages import Stage as Stage
from .datasets import (
    Cohort as Cohort,
    LeaveOneCohortOut as LeaveOneCohortOut,
    fetch_sleep_edf as fetch_sleep_edf,
    load_ccshs as load_ccshs,
    load_cfs as load_cfs,
    load_chat as load_chat,
    load_cohort as load_cohort,
    load_cohorts as load_cohorts,
    load_isruc as load_isruc,
    load_mass as load_mass,
    load_mesa as load_mesa,
    load_mros as load_mros,
    load_shhs as load_shhs,
    load_sleep_edf as load_sleep_edf,
    load_wsc as load_wsc,
    split_subjects as split_subjects,
)
from .evaluation import (
    Comparison as Comparison,
    compare as compare,
    recording_scorer as recording_scorer,
    recording_scores as recording_scores,
    sleep_statistics as sleep_statistics,
)
from .evaluation.displays import (
    AttentionDisplay as AttentionDisplay,
    ComparisonDisplay as ComparisonDisplay,
    HypnogramDisplay as HypnogramDisplay,
    SaliencyDisplay as SaliencyDisplay,
    TrainingDisplay as TrainingDisplay,
)
from .features import (
    CardiorespiratoryFeatures as CardiorespiratoryFeatures,
    EEGFeatures as EEGFeatures,
    FrontEnd as FrontEnd,
    HeartbeatDetector as HeartbeatDetector,
    HRVFeatures as HRVFeatures,
    InstantaneousHeartRate as InstantaneousHeartRate,
    MaskedSignalsClassifier as MaskedSignalsClassifier,
    RespirationFeatures as RespirationFeatures,
    SignalQuality as SignalQuality,
    TemporalContext as TemporalContext,
    cardiorespiratory_baseline as cardiorespiratory_baseline,
    eeg_baseline as eeg_baseline,
    hrv_baseline as hrv_baseline,
)
from .imaging import (
    WaveformImageRenderer as WaveformImageRenderer,
    WaveformImages as WaveformImages,
)
from .io import (
    epoch_table as epoch_table,
    read_events as read_events,
    read_hypnogram as read_hypnogram,
)
from .preprocessing import (
    EDFReader as EDFReader,
    Epocher as Epocher,
    Filter as Filter,
    Normalizer as Normalizer,
    Padder as Padder,
    RecordingCache as RecordingCache,
    RecordingTransformer as RecordingTransformer,
    Resampler as Resampler,
)
from .simulation import make_cohort as make_cohort
from .staging import (
    AcceleratedWav2SleepClassifier as AcceleratedWav2SleepClassifier,
    SequenceSmoother as SequenceSmoother,
    Wav2SleepClassifier as Wav2SleepClassifier,
    epoch_attention as epoch_attention,
    history_frame as history_frame,
    load_pretrained as load_pretrained,
    pretrained_pipeline as pretrained_pipeline,
    save_pretrained as save_pretrained,
    wav2sleep_pipeline as wav2sleep_pipeline,
)
from .staging.vlm import (
    RULES as RULES,
    VLMStager as VLMStager,
    tiny_vlm as tiny_vlm,
)
from .storage import (
    ingest as ingest,
    read_parquet_night as read_parquet_night,
)
from .training import ResumableCheckpoint as ResumableCheckpoint

__version__: str
