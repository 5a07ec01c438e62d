"""Explanations are what was learned, rules are checked, and saliency lies where the stage shows."""

import numpy as np
import pytest
from telling_images import BAR, STAGES, bar_places, make_images

from sklearn_sleep import EDFReader, VLMStager, WaveformImageRenderer, tiny_vlm
from sklearn_sleep.evaluation.displays.saliency import SaliencyDisplay
from sklearn_sleep.imaging import Montage, Trace
from sklearn_sleep.staging.vlm.explanation import parse_explanation, saliency_of_images
from sklearn_sleep.staging.vlm.rules import RULES, check_rules

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.SplitNightWarning"),
]

RULE_OF = {"W": "W.1", "N1": "N1.1", "N2": "N2.1", "N3": "N3.1", "R": "R.9"}


def make_stager(architecture, **parameters):
    return VLMStager(
        tiny_vlm(architecture, hidden_size=64, n_layers=1, image_size=56),
        prompt="Stage?",
        tuning="full",
        train_vision=True,
        lr=2e-3,
        batch_size=8,
        random_state=0,
        **parameters,
    )


@pytest.fixture(scope="module", params=["qwen2_5_vl", "llava"])
def explaining(request):
    images, y = make_images(120)
    rationales = [([RULE_OF[stage]], f"It is {stage}.") for stage in y]
    return make_stager(request.param, max_epochs=10).fit(images, y, rationales=rationales)


def test_explanations_are_those_that_were_learned(explaining):
    images, y = make_images(30, random_state=1)
    found = explaining.explain(images, max_new_tokens=80)
    assert list(found["row"]) == list(range(30))
    np.testing.assert_array_equal(found["stage"], explaining.predict(images))
    assert (found["stage"] == y).mean() > 0.9
    np.testing.assert_allclose(found["probability"], explaining.predict_proba(images).max(axis=1))
    right = found[found["is_complete"]]
    assert len(right) > 20
    as_learned = [
        rationale == f"It is {stage}."
        and rules + unknown == [RULE_OF[stage]]
        and bool(unknown) == (stage == "R")
        for stage, rules, unknown, rationale in zip(
            right["stage"],
            right["rules"],
            right["unknown_rules"],
            right["rationale"],
            strict=True,
        )
    ]
    assert np.mean(as_learned) > 0.9


def test_some_rows_are_explained(explaining):
    images, _ = make_images(30, random_state=1)
    whole = explaining.explain(images, max_new_tokens=40)
    rows = [7, 3, 20]
    some = explaining.explain(images, epochs=rows, max_new_tokens=40)
    assert list(some["row"]) == rows
    assert some["rationale"].tolist() == whole["rationale"].iloc[rows].tolist()
    mask = np.isin(np.arange(30), rows)
    assert list(explaining.explain(images, epochs=mask, max_new_tokens=3)["row"]) == sorted(rows)
    cut_off = explaining.explain(images, epochs=rows, max_new_tokens=3)
    assert not cut_off["is_complete"].any()


def test_saliency_lies_on_the_bar(explaining):
    images, _ = make_images(40, random_state=2)
    found = explaining.saliency(images)
    assert found.shape == (40, 1, 56, 112)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.max(axis=(1, 2, 3)), 1)
    on_the_bar = [
        of_row[0, :, left : left + BAR].sum() / of_row.sum()
        for of_row, left in zip(found, bar_places(range(40), 2), strict=True)
    ]
    # It is a quarter of the image.
    assert np.median(on_the_bar) > 0.4


@pytest.mark.parametrize("architecture", ["qwen2_5_vl", "llava"])
def test_saliency_is_put_where_the_pixels_are(architecture):
    processor = tiny_vlm(architecture, hidden_size=32, image_size=56).processor
    images = np.zeros((3, 56, 56, 3), dtype=np.uint8)
    for image, (top, left) in zip(images, [(0, 14), (28, 42), (42, 0)], strict=True):
        image[top : top + 14, left : left + 14] = 255
    inputs = dict(processor.image_processor(list(images), return_tensors="pt"))
    # What is bright matters, and nothing else.
    gradient = (inputs["pixel_values"] > 0).float()
    found = saliency_of_images(inputs, gradient, (3, 1, 56, 56))
    np.testing.assert_array_equal(found[:, 0] > 0, images[..., 0] > 0)


def test_saliency_is_drawn(explaining, tmp_path):
    images, _ = make_images(3)
    display = SaliencyDisplay.from_estimator(explaining, images, row=1, title="Night")
    assert display.saliency.shape == (1, 56, 112)
    assert display.figure_.get_suptitle() == "Night"
    display.save(tmp_path / "saliency.png")
    assert (tmp_path / "saliency.png").stat().st_size > 3000


def test_rows_of_recordings_are_named(cohort):
    montage = Montage([Trace("EEG", "#ffff00", (-100, 100))], width=112, height=56)
    X = cohort.X[:20]
    images = WaveformImageRenderer(montage).fit_transform(EDFReader(montage).fit_transform(X))
    stager = make_stager("qwen2_5_vl", max_epochs=1, classes=range(4)).fit(images, cohort.y[:20])
    found = stager.explain(images, epochs=[4, 11], max_new_tokens=2)
    assert found["epoch"].tolist() == X["epoch"].iloc[[4, 11]].tolist()
    assert found["recording"].tolist() == X["recording"].iloc[[4, 11]].tolist()
    assert stager.saliency(images[:2]).shape == (2, 3, 56, 112)


def test_rules_are_checked_against_the_list():
    assert {rule.stage for rule in RULES.values()} == {*STAGES, ""}
    assert all(key == rule.identifier for key, rule in RULES.items())
    assert len({rule.text for rule in RULES.values()}) == len(RULES)
    assert check_rules(["N3.1", " R.2 ", "AASM", "N3.1"]) == (["N3.1", "R.2"], ["AASM"])


@pytest.mark.parametrize(
    ("said", "rules", "unknown", "rationale", "is_complete"),
    [
        ('"W.1"]}', ["W.1"], [], "", True),
        ('], "reasoning_text": "None."}', [], [], "None.", True),
        ('"W.1", "W.9"], "reasoning_text": "a \\"b\\" c"}', ["W.1"], ["W.9"], 'a "b" c', True),
        ('"W.1", "W.2", "W', ["W.1", "W.2"], [], "", False),
        ('"W.1"], "reasoning_text": "Alpha', ["W.1"], [], "Alpha", False),
        ("nonsense }{", [], [], "", False),
        ("]}]}", [], [], "", False),
    ],
)
def test_what_models_say_is_read(said, rules, unknown, rationale, is_complete):
    found = parse_explanation("W", said)
    assert (found.rules, found.unknown_rules) == (rules, unknown)
    assert (found.rationale, found.is_complete) == (rationale, is_complete)
