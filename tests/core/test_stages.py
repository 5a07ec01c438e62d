"""Stage codes, their spellings, and coarser schemes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sklearn_sleep.core.stage_schemes import merge_stages, stage_names
from sklearn_sleep.core.stage_vocabulary import parse_stage
from sklearn_sleep.core.stages import RECHTSCHAFFEN_KALES, Stage
from sklearn_sleep.exceptions import HypnogramError, StageSchemeWarning

ALL = [0, 1, 2, 3, 4, -1]


def test_codes_are_aasm():
    assert [(stage.name, int(stage)) for stage in Stage] == [
        ("W", 0),
        ("N1", 1),
        ("N2", 2),
        ("N3", 3),
        ("R", 4),
        ("UNSCORED", -1),
    ]


def test_rechtschaffen_kales_merges_s3_and_s4():
    assert {code: int(stage) for code, stage in RECHTSCHAFFEN_KALES.items()} == {
        0: 0,
        1: 1,
        2: 2,
        3: 3,
        4: 3,
        5: 4,
        6: -1,
        7: -1,
        9: -1,
        10: -1,
    }


@pytest.mark.parametrize(
    ("stage", "texts"),
    [
        (0, "Sleep stage W;Wake|0;SRO:Wake;SDO:WakeState;STAGE - W;W;wake;WAKE;0;0.0"),
        (1, "Sleep stage 1;Sleep stage N1;Stage 1 sleep|1;SRO:Stage1Sleep;N1;S1;STAGE - N1;1"),
        (1, "SDO:NonRapidEyeMovementSleep-N1;NREM1;n-rem1;NREM 1;Sleep_Stage_1"),
        (2, "Sleep stage 2;Sleep stage N2;Stage 2 sleep|2;SRO:Stage2Sleep;N2;S2;2;2.0; N2 "),
        (3, "Sleep stage 3;Sleep stage N3;Stage 3 sleep|3;SRO:Stage3Sleep;N3;S3;3;Stage 3/4"),
        (3, "Sleep stage 4;Stage 4 sleep|4;SRO:Stage4Sleep;S4;NREM4;4"),
        (4, "Sleep stage R;REM sleep|5;SRO:RapidEyeMovement;REM;R;STAGE - R;rem;5;Sleep stage REM"),
        (4, "SDO:RapidEyeMovementSleep"),
        (-1, "nan;Lights on"),
        (
            -1,
            "Sleep stage ?;Movement time;?;MT;STAGE - MVT;STAGE - NO STAGE;NS;U;Unscored|9",
        ),
        (
            -1,
            "Movement|6;SRO:MovementTime;SRO:UnscoredEpoch;SRO:ArtifactEpoch;6;7;9;10;-1;-2",
        ),
    ],
)
def test_parse_stage_knows_the_spellings_of_the_databases(stage, texts):
    assert {text: int(parse_stage(text)) for text in texts.split(";")} == dict.fromkeys(
        texts.split(";"), stage
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N5",
        "8",
        "11",
        "-3",
        "1_0",
        "1 0",
        "sleep",
        "Stage",
        "Arousal|Arousal",
        "2.5",
        "9" * 500,
    ],
)
def test_parse_stage_never_guesses(text):
    with pytest.raises(HypnogramError, match="is no sleep stage"):
        parse_stage(text)


@pytest.mark.parametrize(
    ("n_classes", "expected"),
    [
        (5, [0, 1, 2, 3, 4, -1]),
        (4, [0, 1, 1, 2, 3, -1]),
        (3, [0, 1, 1, 1, 2, -1]),
        (2, [0, 1, 1, 1, 1, -1]),
    ],
)
@pytest.mark.parametrize("dtype", [np.int64, np.int8])
def test_merge_stages(n_classes, expected, dtype):
    merged = merge_stages(np.array(ALL, dtype=dtype), n_classes)
    assert merged.dtype == dtype
    np.testing.assert_array_equal(merged, expected)
    assert len(stage_names(n_classes)) == max(expected) + 1


def test_merge_stages_leaves_its_input_alone():
    y = np.array(ALL)
    merge_stages(y, 5)[:] = 0
    np.testing.assert_array_equal(y, ALL)


@pytest.mark.parametrize("dtype", ["int64", "int8", "Int64"])
def test_merge_stages_keeps_a_series(dtype):
    y = pd.Series(ALL, index=[9, 8, 7, 6, 5, 4], name="stage", dtype=dtype)
    expected = pd.Series([0, 1, 1, 2, 3, -1], index=y.index, name="stage", dtype=dtype)
    pd.testing.assert_series_equal(merge_stages(y, 4), expected)


def test_merge_stages_takes_unsigned_codes():
    np.testing.assert_array_equal(merge_stages(np.array([0, 4], dtype=np.uint8), 3), [0, 2])


def test_names():
    assert stage_names(5) == ("W", "N1", "N2", "N3", "R")
    assert stage_names(4) == ("W", "Light", "Deep", "REM")
    assert stage_names(3) == ("W", "NREM", "REM")
    assert stage_names(2) == ("Wake", "Sleep")


@pytest.mark.parametrize("n_classes", [0, 1, 6, "4"])
def test_unknown_scheme(n_classes):
    with pytest.raises(ValueError, match="n_classes must be 5, 4, 3 or 2"):
        merge_stages(ALL, n_classes)
    with pytest.raises(ValueError, match="n_classes must be 5, 4, 3 or 2"):
        stage_names(n_classes)


@pytest.mark.parametrize("y", [[0, 5], [0, -2], np.array([200], dtype=np.uint8)])
def test_values_that_are_no_stages_are_named(y):
    with pytest.raises(ValueError, match=rf"values \[{y[-1]}\], which are no stages"):
        merge_stages(y, 4)


@pytest.mark.parametrize(
    ("n_classes", "expected"),
    [(4, [0, 1, 1, 2, 3, -1]), (3, [0, 1, 1, 1, 2, -1]), (2, [0, 1, 1, 1, 1, -1])],
)
def test_merging_twice_is_merging_once(n_classes, expected):
    four = merge_stages(ALL, 4)
    merged = merge_stages(four, n_classes, from_classes=4)
    np.testing.assert_array_equal(merged, expected)
    named = np.array([*stage_names(4), "?"])[four]
    np.testing.assert_array_equal(merge_stages(named, n_classes), expected)
    with pytest.warns(StageSchemeWarning, match=r"y has no 4 \(REM\).*from_classes=5"):
        merge_stages(four, n_classes)


def test_merged_stages_are_not_told_apart_again():
    three = merge_stages(ALL, 3)
    with pytest.raises(ValueError, match="3 classes, which cannot be told apart into 4"):
        merge_stages(three, 4, from_classes=3)
    with pytest.raises(ValueError, match="3 classes, which cannot be told apart into 4"):
        merge_stages(["W", "NREM"], 4)
    with pytest.raises(ValueError, match=r"values \[3, 4\], which are no stages.*NREM=1, REM=2"):
        merge_stages(ALL, 2, from_classes=3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["W", "N1", "N2", "N3", "R", "?"], [0, 1, 1, 2, 3, -1]),
        (["wake", "n1", "UNS", "unscored"], [0, 1, -1, -1]),
        (["WAKE", "light", "DEEP", "REM", "N3"], [0, 1, 2, 3, 2]),
    ],
)
def test_merge_stages_takes_names(names, expected):
    np.testing.assert_array_equal(merge_stages(names, 4), expected)
    series = pd.Series(names, index=range(5, 5 + len(names)), name="stage", dtype="category")
    merged = merge_stages(series, 4)
    pd.testing.assert_series_equal(merged, pd.Series(expected, series.index, name="stage"))


def test_names_are_those_that_files_have():
    names = ["Wach", "S1", "Sleep stage 2", "NREM3", "S4", "REM-Schlaf", "Bewegung"]
    np.testing.assert_array_equal(merge_stages(names, 5), [0, 1, 2, 3, 3, 4, -1])


def test_coarsest_of_mixed_names_is_their_scheme():
    np.testing.assert_array_equal(merge_stages(["N1", "Sleep", "wake", "R"], 2), [1, 1, 0, 1])
    np.testing.assert_array_equal(merge_stages(["Light", "NREM", "REM"], 3), [1, 1, 2])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["W", "N9"], "'N9' is no sleep stage.*parse_stage"),
        (["0", "4"], "'0' among names"),
        (["W", None], "None among names"),
        (np.array([0, 4, np.nan], dtype=object), "0 among names"),
    ],
)
def test_what_is_no_name_of_a_stage_is_named(y, message):
    with pytest.raises(ValueError, match=message):
        merge_stages(y, 4)


def test_objects_that_are_integers_are_codes():
    np.testing.assert_array_equal(merge_stages(np.array(ALL, dtype=object), 2), [0, 1, 1, 1, 1, -1])


@pytest.mark.parametrize("y", [[0.0, np.nan], [True, False]])
def test_dtypes_that_are_no_stages(y):
    with pytest.raises(ValueError, match="stages are integers"):
        merge_stages(y, 4)
