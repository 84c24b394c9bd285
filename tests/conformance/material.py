"""Larger test material that is not part of the repository."""

import os
import pathlib

from harness.runner import Skip


def material(path):
    """A file or folder below DUNLIN_SHARED; skips the test where there is none."""
    base = os.environ.get("DUNLIN_SHARED")
    if not base:
        raise Skip("did not run: DUNLIN_SHARED is not set")
    found = pathlib.Path(base) / path
    if not found.exists():
        raise Skip(f"did not run: there is no {found}")
    return found
