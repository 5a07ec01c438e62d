"""Models on the Hugging Face Hub: ``hf://joncarter/wav2sleep``, or with ``@revision`` behind."""

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
    """Return the folder of a model; ``"hf://user/name@revision"`` is downloaded."""
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
    repository, _, of_name = name.removeprefix(_PREFIX).partition("@")
    downloaded = _import_hub().snapshot_download(
        repo_id=_repository(repository),
        revision=revision or of_name or None,
        allow_patterns=list(files),
    )
    return Path(downloaded)


def at_revision(source: str | os.PathLike[str], revision: str | None) -> str:
    """Return one name of a model at a revision, as `find_folder` takes it."""
    name = os.fspath(source)
    return name if revision is None else f"{name.partition('@')[0]}@{revision}"


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
