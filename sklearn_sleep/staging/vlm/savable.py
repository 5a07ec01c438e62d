"""Saving and loading of stagers."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sklearn_sleep.imaging import MONTAGES
from sklearn_sleep.staging.vlm.backbone import keep_whole_images
from sklearn_sleep.staging.vlm.explaining import ExplainingLearner
from sklearn_sleep.staging.vlm.prompts import image_captions, stage_prompt
from sklearn_sleep.staging.vlm.saving import STAGER_FILES, read_stager, write_stager
from sklearn_sleep.training.checkpoints.hub import find_folder, upload_folder

__all__ = ["SavableLearner"]


class SavableLearner(ExplainingLearner):
    """Is written into folders and read from them."""

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the stager into a folder.

        Parameters
        ----------
        folder : path
            Made if need be. ``vlm_stager.json`` is written, the adapter (``adapter_config.json``,
            ``adapter_model.safetensors``), and in ``model`` the model itself if it cannot be loaded
            from where it came from: as it was in memory, pretrained, or fully tuned.
        """
        self.check_is_fitted()
        write_stager(self, Path(folder))

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        model: str | None = None,
        revision: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """Load a stager, or an adapter of peft as SleepVLM publishes it.

        Nothing in the files is executed.

        Parameters
        ----------
        source : path or str
            A folder, or ``"hf://user/name"``, which needs ``sklearn_sleep[hub]``.
        model : str, optional
            Where to load the model from to which the adapter belongs; where the adapter says if
            not given.
        revision : str, optional
            Branch, tag or commit on the hub.
        device : str, default="cpu"
            Torch device.

        Returns
        -------
        VLMStager
            Ready to predict.

        Raises
        ------
        FileNotFoundError
            If the folder or a file is not there.
        ValueError
            If the files are damaged, or of another kind.
        """
        folder = find_folder(source, revision, files=STAGER_FILES)
        return read_stager(cls, folder, model=model, device=device)

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool = False,
        revision: str | None = None,
        commit_message: str | None = None,
    ) -> str:
        """Upload the stager to the Hugging Face Hub.

        Parameters
        ----------
        repository : str
            ``"user/name"``, made if need be.
        private : bool, default=False
            Whether a new repository is private.
        revision : str, optional
            Branch.
        commit_message : str, optional
            What to write in the history.

        Returns
        -------
        str
            ``"hf://user/name"``, which `from_pretrained` takes.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return upload_folder(
                Path(folder),
                repository,
                private=private,
                revision=revision,
                commit_message=commit_message,
            )

    def prepare(self, adapter_options: Mapping[str, Any] | None = None) -> Self:
        """Make the network of a stager that was read from files.

        Parameters
        ----------
        adapter_options : mapping, optional
            Of the adapter that is to be loaded.

        Returns
        -------
        self
        """
        self._adapter_options = adapter_options
        keep_whole_images(self.backbone_.processor)
        if not self.prompt_:
            self.prompt_: str = stage_prompt(self.answers_, MONTAGES["sleepvlm"])
            self.captions_ = image_captions([-1, 0, 1])
        self._make_conversation()
        return self.initialize()

    def base_model(self) -> Any:
        """Return a copy of the model without its adapter."""
        return copy.deepcopy(self.module_.model).unload()
