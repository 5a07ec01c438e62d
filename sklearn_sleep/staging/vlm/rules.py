"""The rules of sleep staging that explanations may cite."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Rule:
    """A rule of sleep staging, in our words.

    `stage` is what it leads to; it is empty where that depends on the epochs around.
    """

    identifier: str
    stage: str
    text: str


# What the AASM Manual for the Scoring of Sleep (version 3) rules for adults, in our own words and
# no substitute for it; identifiers as Deng et al. 2026 (arXiv 2603.26738) number them.
_TABLE = (
    Rule("W.1", "W", "Alpha rhythm over the back of the head fills more than half of the epoch."),
    Rule("W.2", "W", "The eyes blink, once in two seconds up to twice a second."),
    Rule("W.3", "W", "The eyes move fast and irregularly while the chin keeps its muscle tone."),
    Rule("N1.1", "N1", "Alpha rhythm gives way to low, mixed waves for more than half the epoch."),
    Rule(
        "N1.2",
        "N1",
        "In a person without alpha rhythm: the EEG slows to 4 to 7 Hz, vertex sharp waves come, or "
        "the eyes begin to roll slowly.",
    ),
    Rule(
        "N2.1",
        "N2",
        "A K complex without arousal, or a spindle, lies in the first half of the epoch or in the "
        "last half of the one before.",
    ),
    Rule("N2.2", "N2", "Low, mixed waves go on after an epoch of N2, and no arousal has ended it."),
    Rule("N2.3", "N2", "After N3 the slow waves are too few, and nothing speaks for W or R."),
    Rule("N2.4", "", "N2 ends: with another stage, an arousal, or a movement and rolling eyes."),
    Rule("N3.1", "N3", "Slow waves above 75 uV, at 0.5 to 2 Hz, take a fifth of the epoch."),
    Rule(
        "R.1",
        "R",
        "Low, mixed waves, a chin without tone, and rapid eye movements come in one epoch.",
    ),
    Rule(
        "R.2",
        "R",
        "Beside an epoch of R: low, mixed waves and a chin without tone, no K complex, no spindle, "
        "and no arousal.",
    ),
    Rule("R.3", "", "R ends: with another stage, with tone, an arousal, K complexes or spindles."),
    Rule(
        "MBM.1",
        "W",
        "A movement hides most of the epoch, and there is alpha rhythm in it or W on both sides.",
    ),
    Rule("MBM.2", "", "A movement hides most of the epoch; it is scored as the one after it."),
)
RULES = MappingProxyType({rule.identifier: rule for rule in _TABLE})
"""Rules by identifier."""


def check_rules(identifiers: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return which of the cited identifiers are rules, and which are not, each once."""
    distinct = list(dict.fromkeys(identifier.strip() for identifier in identifiers))
    return (
        [identifier for identifier in distinct if identifier in RULES],
        [identifier for identifier in distinct if identifier not in RULES],
    )
