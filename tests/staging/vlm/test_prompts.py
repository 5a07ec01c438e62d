"""What is asked of a model, and how it is to answer."""

import json

from sklearn_sleep.imaging import MONTAGES
from sklearn_sleep.staging.vlm.explanation import begin_explanation, parse_explanation
from sklearn_sleep.staging.vlm.prompts import (
    answer_text,
    describe_images,
    image_captions,
    stage_prompt,
)
from sklearn_sleep.staging.vlm.rules import RULES


def test_question_lists_the_answers():
    question = stage_prompt(["W", "N1", "N2", "N3", "R"])
    assert question == "Score the sleep stage of the epoch to score: W, N1, N2, N3 or R."


def test_question_describes_traces_and_rules():
    montage = MONTAGES["sleepvlm"]
    question = stage_prompt(["W", "R"], montage, with_rules=True)
    assert question.startswith(describe_images(montage))
    assert all(trace.label in question for trace in montage.traces)
    assert all(f"{rule.identifier}: {rule.text}" in question for rule in RULES.values())


def test_captions_count_epochs():
    captions = ["1 epoch before:", "The epoch to score:", "2 epochs after:"]
    assert image_captions([-1, 0, 2]) == captions


def test_answers_are_json_that_begins_with_the_stage():
    answer = answer_text("N2", ["N2.1"], "A spindle.")
    assert answer.startswith('{"sleep_stage": "N2"')
    assert list(json.loads(answer).values()) == ["N2", ["N2.1"], "A spindle."]
    assert answer.startswith(begin_explanation("N2"))


def test_explanations_that_are_cut_off_are_read_as_far_as_they_go():
    cut = parse_explanation("N2", '"N2.1"], "reasoning_text": "A spin')
    assert (cut.rules, cut.rationale, cut.is_complete) == (["N2.1"], "A spin", False)
    whole = parse_explanation("N2", '"N2.1", "N7.1"], "reasoning_text": "A spindle."}')
    assert (whole.rules, whole.unknown_rules) == (["N2.1"], ["N7.1"])
    assert (whole.rationale, whole.is_complete) == ("A spindle.", True)
