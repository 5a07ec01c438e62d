"""Staging by general vision-language models that are shown the waveforms."""

from sklearn_sleep.staging.vlm.backbone import VisionLanguageModel
from sklearn_sleep.staging.vlm.rules import RULES, Rule, check_rules
from sklearn_sleep.staging.vlm.stager import VLMStager
from sklearn_sleep.staging.vlm.tiny import tiny_vlm

__all__ = ["RULES", "Rule", "VLMStager", "VisionLanguageModel", "check_rules", "tiny_vlm"]
