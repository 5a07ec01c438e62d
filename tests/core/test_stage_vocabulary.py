"""Names of stages in other people's files."""

import pytest

from sklearn_sleep.core.stage_vocabulary import VOCABULARIES, fold, parse_stage
from sklearn_sleep.exceptions import HypnogramError


def test_one_text_names_one_stage():
    stages: dict[str, set] = {}
    for vocabulary in VOCABULARIES:
        for text, stage in vocabulary.texts():
            stages.setdefault(fold(text), set()).add(stage)
    assert {text: found for text, found in stages.items() if len(found) > 1} == {}


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda vocabulary: vocabulary.name)
def test_every_text_is_read_in_any_case_and_has_a_source(vocabulary):
    assert vocabulary.source
    for text, stage in vocabulary.texts():
        assert parse_stage(text) == parse_stage(text.upper()) == stage


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("Wach", 0), ("Éveil", 0), ("eveil", 0), ("Veille", 0), ("Vigilia", 0), ("Veglia", 0),
        ("Vigília", 0), ("Wakker", 0), ("Vågen", 0), ("Vaken", 0), ("Hereillä", 0),
        ("NonREM1", 1), ("Non-REM 1", 1), ("Stade 1", 1), ("Schlafstadium N1", 1), ("Fase N1", 1),
        ("Stadium 2", 2), ("Estágio 2", 2), ("Vaihe 2", 2), ("SLEEP-S2", 2), ("N 2", 2),
        ("SWS", 3), ("Slow wave sleep", 3), ("Stade 4", 3), ("Stadio N3", 3), ("NREM-4", 3),
        ("REM-Schlaf", 4), ("S. Paradoxal", 4), ("Sommeil paradoxal", 4), ("Sueño REM", 4),
        ("REM-søvn", 4), ("REM-uni", 4), ("Stadium REM", 4), ("Stage 5", 4),
        ("Bewegung", -1), ("Artefakt", -1), ("Indéterminé", -1), ("Tuntematon", -1),
    ],
)  # fmt: skip
def test_words_of_the_languages(text, stage):
    assert parse_stage(text) == stage


@pytest.mark.parametrize("letter", ["A", "E", "P", "S", "V", "L", "T", "a"])
def test_letters_with_several_meanings_are_refused(letter):
    with pytest.raises(HypnogramError, match=f"it may be .*stage_names=.{{1,2}}{letter}'"):
        parse_stage(letter)
    assert parse_stage(letter, {letter: "N2"}) == 2


@pytest.mark.parametrize("text", ["Light", "Deep sleep", "NREM", "N", "Tiefschlaf", "Stage NREM"])
def test_coarser_classes_are_no_stages(text):
    with pytest.raises(HypnogramError, match="none of the five stages of the AASM, but more than"):
        parse_stage(text)


def test_what_is_told_goes_first():
    assert parse_stage("W", {"w": "N3"}) == 3
    assert parse_stage("Wach@@EEG C4-M1", {"WACH": "R"}) == 4
