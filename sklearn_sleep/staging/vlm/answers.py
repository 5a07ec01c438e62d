"""AnswerTree: probabilities of stages from the logits of the tokens that name them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklearn_sleep.staging.vlm.prompts import answer_text


class _Fork(NamedTuple):
    """A place where answers part."""

    position: int  # tokens of the answers before it
    tokens: tuple[int, ...]  # that may follow
    answers: tuple[tuple[int, ...], ...]  # which answers go on with each of them


class AnswerTree:
    """The tokens of a fixed list of answers, and where they part.

    An answer is a sequence of tokens, such as ``N`` and ``2``. Its probability is the product over
    the places where answers part of the probability of the token that it goes on with, among those
    that any answer goes on with. One forward pass gives all of them if the answers that share their
    beginning are a single group, as N1, N2 and N3 are; else ValueError is raised.

    `prompt_tokens` are what answers begin with, and what the largest group of them goes on with:
    they follow the question in the forward pass, the last `n_logits` positions of which are needed.
    All answers begin with `n_given` tokens.
    """

    def __init__(self, tokenizer: Any, stages: Sequence[str]) -> None:
        if len(set(stages)) < len(stages) or not stages:
            raise ValueError(f"The answers {list(stages)} must all differ.")
        self.n_answers = len(stages)
        # To the end of each stage, with the quotation mark that ends it.
        texts = [answer_text(stage)[:-1] for stage in stages]
        sequences = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        self._forks: list[_Fork] = []
        self.prompt_tokens: list[int] = []
        group = tuple(range(len(stages)))
        position = 0
        while len(group) > 1:
            ways: dict[int, list[int]] = {}
            for answer in group:
                ways.setdefault(sequences[answer][position], []).append(answer)
            shared = [answers for answers in ways.values() if len(answers) > 1]
            if len(shared) > 1:
                groups = " and ".join(str([stages[answer] for answer in way]) for way in shared)
                raise ValueError(
                    f"The answers {groups} begin with the same tokens each, so that one forward "
                    "pass does not tell them all apart. Name the stages otherwise, in answers=."
                )
            if len(ways) > 1:
                answers = tuple(tuple(way) for way in ways.values())
                self._forks.append(_Fork(position, tuple(ways), answers))
            if not shared:
                break
            group = tuple(shared[0])
            self.prompt_tokens.append(sequences[group[0]][position])
            position += 1
        self.n_given = self._forks[0].position if self._forks else position
        self.n_logits = len(self.prompt_tokens) - self.n_given + 1

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return the log probability of each answer, (n_rows, n_answers), from the last logits."""
        result = torch.zeros(len(logits), self.n_answers, dtype=torch.float64, device=logits.device)
        end = len(self.prompt_tokens)
        for fork in self._forks:
            place = logits.shape[1] - 1 - (end - fork.position)
            of_tokens = logits[:, place, list(fork.tokens)].double().log_softmax(dim=1)
            for column, answers in enumerate(fork.answers):
                result[:, list(answers)] += of_tokens[:, [column]]
        return result
