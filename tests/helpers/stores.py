"""What a folder of ingested nights holds."""

import hashlib


def snapshot(store):
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
