"""Staging by general vision-language models that are shown the waveforms."""

from sklearn_sleep.vlm.backbone import VisionLanguageModel
from sklearn_sleep.vlm.rules import RULES, Rule, check_rules
from sklearn_sleep.vlm.stager import VLMStager
from sklearn_sleep.vlm.tiny import tiny_vlm

__all__ = ["RULES", "Rule", "VLMStager", "VisionLanguageModel", "check_rules", "tiny_vlm"]
