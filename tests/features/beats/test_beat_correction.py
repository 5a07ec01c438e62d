"""Beats are corrected as Lipponen & Tarvainen say, and close to the truth."""

from pathlib import Path

import numpy as np
import pytest

from sklearn_sleep.features import correct_beats, find_artefacts

KINDS = ("ectopic", "extra", "missed", "misplaced")


@pytest.fixture(scope="module")
def beats():
    """Beats at 60 to 75 a minute with respiratory arrhythmia."""
    rng = np.random.default_rng(1)
    intervals = 0.9 + 0.03 * np.sin(np.arange(500) * 1.2) + 0.005 * rng.standard_normal(500)
    return np.cumsum(intervals)


def test_artefacts_are_those_of_neurokit2():
    with np.load(Path(__file__).parent / "data" / "neurokit2_artefacts.npz") as golden:
        found = find_artefacts(golden["beats"] / 1000)
        for kind in KINDS:
            assert len(golden[kind]) > 10
            theirs, ours = set(golden[kind].tolist()), set(getattr(found, kind).tolist())
            # The published flow chart leaves open what happens after a beat that it has passed on.
            assert len(theirs ^ ours) <= 0.02 * len(theirs)


def test_undisturbed_beats_stay(beats):
    corrected, is_corrected = correct_beats(beats)
    np.testing.assert_array_equal(corrected, beats)
    assert not is_corrected.any()


@pytest.mark.parametrize("beat", [10, 200, 480])
def test_missed_beat_is_put_in(beats, beat):
    corrected, is_corrected = correct_beats(np.delete(beats, beat))
    assert np.flatnonzero(is_corrected).tolist() == [beat]
    np.testing.assert_allclose(corrected, beats, atol=0.06)
    np.testing.assert_array_equal(np.delete(corrected, beat), np.delete(beats, beat))


def test_extra_beat_is_taken_out(beats):
    extra = (beats[200] + beats[201]) / 2
    corrected, is_corrected = correct_beats(np.insert(beats, 201, extra))
    np.testing.assert_array_equal(corrected, beats)
    assert not is_corrected.any()


def test_premature_beat_is_moved(beats):
    early = beats.copy()
    early[200] -= 0.35
    corrected, is_corrected = correct_beats(early)
    # The long interval that follows is ectopic, too.
    assert np.flatnonzero(is_corrected).tolist() == [200, 201]
    assert abs(corrected[200] - beats[200]) < 0.06


def test_several_at_once(beats):
    # Far apart: a beat missed, one too many, one premature.
    disturbed = beats.copy()
    disturbed[400] -= 0.35
    disturbed = np.insert(disturbed, 301, (beats[300] + beats[301]) / 2)
    disturbed = np.delete(disturbed, 100)
    corrected, is_corrected = correct_beats(disturbed)
    assert np.flatnonzero(is_corrected).tolist() == [100, 400, 401]
    np.testing.assert_allclose(corrected, beats, atol=0.06)


def test_lost_beats_are_not_made_up(beats):
    lost = np.r_[beats[:200], beats[210:]]
    corrected, is_corrected = correct_beats(lost)
    np.testing.assert_array_equal(corrected, lost)
    assert not is_corrected.any()


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5, 6])
def test_few_beats_stay(n):
    beats = np.arange(n) + 0.5
    corrected, is_corrected = correct_beats(beats)
    np.testing.assert_array_equal(corrected, beats)
    assert len(is_corrected) == n


def test_result_rises_whatever_comes():
    rng = np.random.default_rng(2)
    for _ in range(50):
        beats = np.cumsum(rng.exponential(0.8, 300) + 0.2)
        corrected, _ = correct_beats(beats)
        assert (np.diff(corrected) > 0).all()
