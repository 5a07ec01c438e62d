"""scikit-learn's contract: each of its checks, for each public estimator."""

import numpy as np
import pytest
from conformance import (
    AS_THEY_ARE,
    KINDS,
    OWN,
    STATELESS,
    all_checks,
    entry,
    installed_checks,
    public_estimators,
    run_check,
    table_of_documentation,
)
from conformance_cases import make_cases, results
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_sleep import SequenceSmoother

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SplitNightWarning"),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return make_cases(tmp_path_factory.mktemp("conformance"))


KIND_OF = {
    "EDFReader": "reader",
    "TemporalContext": "context",
    "SequenceSmoother": "smoother",
    "MaskedSignalsClassifier": "masked",
    "Wav2SleepClassifier": "net",
    "AcceleratedWav2SleepClassifier": "net",
    "VLMStager": "images",
    **dict.fromkeys(
        [
            *("CardiorespiratoryFeatures", "EEGFeatures", "HeartbeatDetector", "HRVFeatures"),
            "RespirationFeatures",
        ],
        "features",
    ),
    **dict.fromkeys(
        [
            *("Epocher", "Filter", "FrontEnd", "InstantaneousHeartRate", "Normalizer", "Padder"),
            *("RecordingCache", "RecordingTransformer", "Resampler", "SignalQuality"),
            "WaveformImageRenderer",
        ],
        "step",
    ),
}
STATELESS_NAMES = [name for name, kind in KIND_OF.items() if kind in STATELESS]
RUN = ("as it is", "own version")


def test_the_table_has_each_public_estimator(cases):
    assert sorted(KIND_OF) == public_estimators()
    assert {name: case.kind for name, case in cases.items()} == KIND_OF


def test_the_table_has_each_check_of_the_installed_scikit_learn():
    assert len(installed_checks()) > 60
    for check in all_checks():
        for kind in KINDS:
            assert entry(check, kind), f"{check} for {kind}: neither run nor a reason why not"
    # Nothing that scikit-learn has no more.
    assert not OWN.keys() - set(all_checks()) - {"check_inplace_ensure_writeable"}
    assert not set(AS_THEY_ARE) - set(all_checks())


def test_at_least_25_checks_run_for_each_estimator():
    for name, kind in KIND_OF.items():
        assert sum(entry(check, kind) in RUN for check in all_checks()) >= 25, name


def test_the_documentation_counts_them(request):
    text = (request.config.rootpath / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert table_of_documentation(KIND_OF) in text


def test_tags(cases):
    tags = {name: get_tags(case.estimator) for name, case in cases.items()}
    for name, case in cases.items():
        # Rows name recordings, or are nights and images.
        assert not tags[name].input_tags.two_d_array, name
        assert tags[name].requires_fit == (name not in STATELESS_NAMES), name
        assert tags[name].estimator_type == ("classifier" if case.is_classifier else None), name
        assert tags[name].target_tags.required == case.is_classifier, name
        assert tags[name].input_tags.allow_nan == (name != "VLMStager"), name
        assert tags[name].input_tags.dict == (case.kind == "net"), name
    smoother = SequenceSmoother(LogisticRegression())
    assert not get_tags(smoother).input_tags.allow_nan
    assert not get_tags(smoother).input_tags.sparse


def test_scikit_learns_own_generator_yields_nothing_for_them(cases):
    with pytest.warns(SkipTestWarning, match="Can't test estimator TemporalContext"):
        names = [
            check.func.__name__
            for _, check in estimator_checks_generator(cases["TemporalContext"].estimator)
        ]
    assert names == ["check_estimator_cloneable"]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        (name, check)
        for name, kind in KIND_OF.items()
        for check in all_checks()
        if entry(check, kind) in RUN
    ],
)
def test_check(cases, name, check):
    run_check(check, cases[name])


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("EDFReader", {"signals": [5]}, "A signal is a name such as 'ECG'"),
        ("EDFReader", {"signals": ["ECG", None]}, "A signal is a name such as 'ECG'"),
        ("EDFReader", {"channels": {"ECG": 5}}, r"channels\['ECG'\]=\[5\] must be a label"),
        ("EDFReader", {"channels": {"mesa": {"ECG": ["a", 5]}}}, r"channels\['ECG'\]=\['a', 5\]"),
        ("EDFReader", {"units": {"ECG": ["mV"]}}, r"units\['ECG'\]=\['mV'\] is not known"),
        (
            "Filter",
            {"low_frequency": {"ECG": "abc"}},
            "low_frequency must be above 0 Hz, got 'abc'",
        ),
        ("Filter", {"low_frequency": {"ECG": -1}}, "low_frequency must be above 0 Hz, got -1"),
        ("Filter", {"high_frequency": {"ECG": [4]}}, r"high_frequency must be above 0 Hz, got \["),
        ("Resampler", {"samples_per_epoch": {"ECG": "9"}}, "='9' must be an integer above 0"),
        ("Resampler", {"samples_per_epoch": {"ECG": None}}, "=None must be an integer above 0"),
        ("Resampler", {"samples_per_epoch": {"ECG": np.nan}}, "=nan must be an integer above 0"),
        ("Resampler", {"samples_per_epoch": {"ECG": np.inf}}, "=inf must be an integer above 0"),
        ("HRVFeatures", {"groups": [["time"]]}, "groups=.* must be a list of some of time"),
        ("HRVFeatures", {"windows": [5]}, "windows=.* must be a list of pairs"),
        ("RespirationFeatures", {"signals": [5]}, "signals=.* must be a list of some of"),
        ("EEGFeatures", {"signals": [5]}, "signals=.* must be a list of names"),
        ("InstantaneousHeartRate", {"signals": [["ECG"]]}, "signals=.* must be a list of some of"),
        ("FrontEnd", {"choices": {"ECG": ["flat"]}}, "'flat' is not known"),
        ("SignalQuality", {"faults": [["flat"]]}, "faults=.* must be a list of some of"),
        ("TemporalContext", {"neighbours": ["a"]}, "must be whole numbers other than 0"),
        ("TemporalContext", {"rolling_means": [[3]]}, "must be odd numbers of epochs"),
        (
            "WaveformImageRenderer",
            {"context": ["a"]},
            "must be a list of at least one whole number",
        ),
        ("Wav2SleepClassifier", {"callbacks": [5]}, "callbacks=.* must be a list of skorch callb"),
        ("Wav2SleepClassifier", {"callbacks": [("a", 5)]}, "callbacks=.* must be a list of skorch"),
        ("VLMStager", {"callbacks": [5]}, "callbacks=.* must be a list of skorch callbacks"),
    ],
)
def test_what_lists_and_mappings_hold_is_checked(cases, name, parameters, message):
    case = cases[name]
    estimator = case.new().set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        results(estimator.fit(case.X, case.y), case.X)
