"""Trained classifiers from and to folders and the Hugging Face Hub."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from sklearn.utils import check_random_state

from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.training.checkpoints.checkpoint import Checkpoint, explain_damage
from sklearn_sleep.training.checkpoints.hub import find_folder, upload_folder
from sklearn_sleep.training.checkpoints.own_format import read_own_checkpoint, write_own_checkpoint
from sklearn_sleep.training.checkpoints.published_format import (
    is_published,
    read_published_checkpoint,
    write_published_checkpoint,
)

__all__ = ["CheckpointMixin"]


class CheckpointMixin:
    """What a `NightNet` around the network `Wav2Sleep` needs to be saved and loaded."""

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """Load a trained classifier.

        Reads the published format (``config.yaml``, ``state_dict.pth``) and our own
        (``config.json``, ``model.safetensors``). Nothing in the files is executed: names are
        compared with those that are known, and weights are tensors alone. The classifier takes
        epochs as they were prepared for its training; `pretrained_pipeline` gives the steps too.

        Parameters
        ----------
        source : path or str
            A folder, or ``"hf://user/name"`` for a model on the Hugging Face Hub such as
            ``"hf://joncarter/wav2sleep"``, which needs ``sklearn_sleep[hub]``.
        revision : str, optional
            Branch, tag or commit on the hub.
        device : str, default="cpu"
            Torch device.

        Returns
        -------
        classifier
            Ready to predict. The published format does not name classes and has no prior: of four
            classes, 0 to 3 are those of ``merge_stages(y, 4)``; of five, 0 to 4 are the AASM
            stages; the prior, given to nights without usable signals, is uniform.

        Raises
        ------
        FileNotFoundError
            If the folder or a file in it is not there.
        ImportError
            If the hub is asked for and huggingface_hub is not installed.
        ValueError
            If the files are not those of a model, or name what is not known.

        Examples
        --------
        >>> from sklearn_sleep import Wav2SleepClassifier
        >>> folder = "tests/data/golden/wav2sleep-cardio-small"
        >>> classifier = Wav2SleepClassifier.from_pretrained(folder)
        >>> classifier.signals_
        ('ABD', 'THX', 'ECG', 'PPG')
        """
        folder = find_folder(source, revision)
        if is_published(folder):
            return cls.from_checkpoint(read_published_checkpoint(folder), folder, device=device)
        return cls.from_checkpoint(read_own_checkpoint(folder), folder, device=device)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, folder: Path, *, device: str = "cpu") -> Self:
        """Make a trained classifier.

        Parameters
        ----------
        checkpoint : Checkpoint
            The network.
        folder : Path
            Where it was read from, for messages.
        device : str, default="cpu"
            Torch device.

        Returns
        -------
        classifier

        Raises
        ------
        ValueError
            If parameters or weights do not fit the network.
        """
        with explain_damage(folder):
            parameters = {f"module__{key}": value for key, value in checkpoint.parameters.items()}
            classifier: Any = cast(Any, cls)(device=device, **parameters)
            classifier.classes_ = checkpoint.classes
            classifier.class_prior_ = checkpoint.class_prior
            classifier.samples_per_epoch_ = dict(checkpoint.signals)
            classifier.signals_ = tuple(checkpoint.signals)
            # To be trained on from here.
            seed = check_random_state(classifier.random_state).randint(2**31)
            classifier.random_generator_ = np.random.default_rng(seed)
            classifier.initialize()
            classifier.module_.load_state_dict(checkpoint.state)
            return classifier

    def to_checkpoint(self) -> Checkpoint:
        """Return the trained network.

        Returns
        -------
        Checkpoint

        Raises
        ------
        NotFittedError
            If it was not trained.
        TypeError
            If the network is not `Wav2Sleep`.
        """
        classifier: Any = self
        if classifier.module is not make_wav2sleep:
            raise TypeError(
                f"Only the network Wav2Sleep can be saved, not module={classifier.module!r}."
            )
        classifier.check_is_fitted()
        parameters = classifier.get_params_for("module")
        del parameters["signals"], parameters["n_classes"]
        return Checkpoint(
            signals=classifier.samples_per_epoch_,
            classes=classifier.classes_,
            class_prior=classifier.class_prior_,
            parameters=parameters,
            state=classifier.module_.state_dict(),
        )

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        format: str = "sklearn_sleep",  # noqa: A002  the word that users look for
    ) -> None:
        """Save the trained classifier, without the steps before it.

        Whole pipelines are saved by the function `save_pretrained`.

        Parameters
        ----------
        folder : path
            Made if need be.
        format : {"sklearn_sleep", "wav2sleep"}, default="sklearn_sleep"
            Our own, ``config.json`` and ``model.safetensors``; or that of the published wav2sleep,
            ``config.yaml`` and ``state_dict.pth``, which its code loads. The latter does not hold
            the classes' prior.

        Raises
        ------
        NotFittedError
            If it was not trained.
        TypeError
            If the network is not `Wav2Sleep`, or a parameter has no JSON type.
        ValueError
            If the published code has nothing like the network, or there is no such format.
        """
        checkpoint = self.to_checkpoint()
        if format == "sklearn_sleep":
            write_own_checkpoint(checkpoint, Path(folder))
        elif format == "wav2sleep":
            write_published_checkpoint(checkpoint, Path(folder))
        else:
            raise ValueError(f"format={format!r} is not known; use 'sklearn_sleep' or 'wav2sleep'.")

    def push_to_hub(
        self,
        repository: str,
        *,
        format: str = "sklearn_sleep",  # noqa: A002  as in save_pretrained
        private: bool = False,
        revision: str | None = None,
        commit_message: str | None = None,
    ) -> str:
        """Upload the trained classifier to the Hugging Face Hub.

        Needs ``sklearn_sleep[hub]`` and an account (``hf auth login``).

        Parameters
        ----------
        repository : str
            ``"user/name"``, made if need be.
        format : {"sklearn_sleep", "wav2sleep"}, default="sklearn_sleep"
            As in `save_pretrained`.
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

        Raises
        ------
        ImportError
            If huggingface_hub is not installed.
        ValueError
            If `repository` is no repository's name, or as in `save_pretrained`.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, format=format)
            return upload_folder(
                Path(folder),
                repository,
                private=private,
                revision=revision,
                commit_message=commit_message,
            )
