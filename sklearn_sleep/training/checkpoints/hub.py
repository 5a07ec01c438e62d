"""Models on the Hugging Face Hub, named like ``hf://joncarter/wav2sleep``."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn_sleep.core.optional_dependencies import import_optional
from sklearn_sleep.training.checkpoints.own_format import OWN_FILES
from sklearn_sleep.training.checkpoints.published_format import PUBLISHED_FILES

_PREFIX = "hf://"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def find_folder(
    source: str | os.PathLike[str],
    revision: str | None = None,
    *,
    files: Sequence[str] = (*OWN_FILES, *PUBLISHED_FILES),
) -> Path:
    """Return the folder of a model; ``"hf://user/name"`` is downloaded at a revision."""
    name = os.fspath(source)
    if not name.startswith(_PREFIX):
        if revision is not None:
            raise ValueError(
                f"revision={revision!r} is for models on the hub, but {name!r} is a folder."
            )
        folder = Path(name)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{folder} is not a folder. Give one, or 'hf://user/name' for a model on the hub."
            )
        return folder
    downloaded = _import_hub().snapshot_download(
        repo_id=_repository(name.removeprefix(_PREFIX)),
        revision=revision,
        allow_patterns=list(files),
    )
    return Path(downloaded)


def upload_folder(folder: Path, repository: str, *, private: bool = False, **commit: Any) -> str:
    """Upload the files of a folder to the hub; return ``"hf://user/name"``."""
    repository = _repository(repository.removeprefix(_PREFIX))
    hub = _import_hub()
    hub.create_repo(repo_id=repository, private=private, exist_ok=True)
    hub.upload_folder(repo_id=repository, folder_path=folder, **commit)
    return _PREFIX + repository


def _repository(name: str) -> str:
    if not _REPOSITORY.fullmatch(name):
        raise ValueError(f"{name!r} is not a repository of the hub; give 'user/name'.")
    return name


def _import_hub() -> Any:
    return import_optional(
        "huggingface_hub", extra="hub", purpose="A model on the Hugging Face Hub"
    )
