"""AnswerTree gives the probabilities of answers among themselves, from one forward pass."""

import numpy as np
import pytest
import torch

from sklearn_sleep.staging.vlm.answers import AnswerTree
from sklearn_sleep.staging.vlm.prompts import answer_text
from sklearn_sleep.staging.vlm.tiny import tiny_vlm


@pytest.fixture(scope="module")
def vlm():
    return tiny_vlm(hidden_size=32, n_layers=1)


def joint_probabilities(vlm, question, answers):
    """Compute them one token after the other, each among the tokens that any answer has there."""
    tokenizer = vlm.processor.tokenizer
    sequences = [
        tokenizer(answer_text(answer)[:-1], add_special_tokens=False)["input_ids"]
        for answer in answers
    ]
    result = np.zeros(len(answers))
    for index, sequence in enumerate(sequences):
        for position, token in enumerate(sequence):
            known = sequence[:position]
            allowed = sorted({s[position] for s in sequences if s[:position] == known})
            if len([s for s in sequences if s[:position] == known]) == 1:
                break
            with torch.no_grad():
                ids = torch.tensor([[*question, *known]])
                logits = vlm.model(input_ids=ids).logits[0, -1].double()
            result[index] += logits[allowed].log_softmax(0)[allowed.index(token)].item()
    return result


@pytest.mark.parametrize(
    "answers",
    [
        ["W", "N1", "N2", "N3", "R"],
        ["W", "Light", "Deep", "REM"],
        ["W", "NREM", "REM"],
        ["wake", "asleep"],
        ["N1a", "N1b", "N2", "W"],
    ],
)
def test_one_pass_gives_what_one_pass_for_each_token_gives(vlm, answers):
    tree = AnswerTree(vlm.processor.tokenizer, answers)
    question = list(b"Which stage?")
    with torch.no_grad():
        ids = torch.tensor([[*question, *tree.prompt_tokens]])
        logits = vlm.model(input_ids=ids).logits[:, -tree.n_logits :]
    found = tree.log_probabilities(logits)[0].numpy()
    np.testing.assert_allclose(found, joint_probabilities(vlm, question, answers), atol=1e-5)
    assert np.exp(found).sum() == pytest.approx(1)


def test_a_single_answer_is_certain(vlm):
    tree = AnswerTree(vlm.processor.tokenizer, ["W"])
    logits = torch.zeros(2, tree.n_logits, 263)
    np.testing.assert_array_equal(tree.log_probabilities(logits), [[0], [0]])


def test_answers_that_one_pass_does_not_tell_apart(vlm):
    tokenizer = vlm.processor.tokenizer
    with pytest.raises(ValueError, match="begin with the same tokens each"):
        AnswerTree(tokenizer, ["N1", "N2", "R1", "R2"])
    with pytest.raises(ValueError, match="must all differ"):
        AnswerTree(tokenizer, ["W", "W"])
