"""Trained networks in folders: our own format, the published one, and the Hugging Face Hub."""

from sklearn_sleep.checkpoints.checkpoint import Checkpoint, explain_damage
from sklearn_sleep.checkpoints.hub import find_folder, upload_folder
from sklearn_sleep.checkpoints.own_format import (
    read_configuration,
    read_own_checkpoint,
    write_own_checkpoint,
)
from sklearn_sleep.checkpoints.published_format import (
    is_published,
    read_published_checkpoint,
    write_published_checkpoint,
)

__all__ = [
    "Checkpoint",
    "explain_damage",
    "find_folder",
    "is_published",
    "read_configuration",
    "read_own_checkpoint",
    "read_published_checkpoint",
    "upload_folder",
    "write_own_checkpoint",
    "write_published_checkpoint",
]
