"""Where the runs of an output kept what may lie elsewhere: ``run/places.json``.

``forget`` must reach all of it, and is not given the options of the runs. Places below the output
are noted relative to it, because an output may be moved.
"""

from __future__ import annotations

import os

import msgspec

from pipeline.options import Options, UsageError
from transforms import storage

NAME = "run/places.json"


class Places(msgspec.Struct, frozen=True):
    """Every place that a run of one output used."""

    private: tuple[str, ...] = ()
    cache: tuple[str, ...] = ()


def note_places(options: Options) -> None:
    """Adds the places of a run to those of the runs before it."""
    output = options.output or ""
    noted = _noted(output)
    cache = options.model_cache or storage.join(output, "cache")
    places = Places(
        private=_with(noted.private, _relative(options.private_root, output)),
        cache=_with(noted.cache, _relative(cache, output)),
    )
    if places != noted:
        storage.write_bytes(storage.join(output, NAME), msgspec.json.encode(places) + b"\n")


def places_of(output: str, private: str | None = None, cache: str | None = None) -> Places:
    """Returns where the runs of an output kept things, and the places that are given.

    Raises UsageError where private material is not where it was: it says who is forgotten, and a
    run that does not see it would bring them back.
    """
    noted = _noted(output)
    caches = tuple(_absolute(p, output) for p in noted.cache or ["cache"])
    roots = tuple(_absolute(p, output) for p in noted.private)
    there = tuple(r for r in roots if not storage.is_local(r) or storage.exists(r))
    if private or not roots:  # moved since, or an output that no run has noted its places in
        place = private or storage.join(output, "private")
        if not _is_private(place):
            raise UsageError(
                f"--private {place}: no project key and no sessions of a run are there"
            )
        there = _with(there, place)
    elif there != roots:
        gone = next(r for r in roots if r not in there)
        raise UsageError(f"{gone}: private material of a run is not there any more; say --private")
    return Places(there, _with(caches, cache) if cache else caches)


def _noted(output: str) -> Places:
    try:
        data = storage.read_bytes(storage.join(output, NAME))
    except FileNotFoundError:
        return Places()
    return msgspec.json.decode(data, type=Places)


def _with(places: tuple[str, ...], new: str) -> tuple[str, ...]:
    return places if new in places else (*places, new)


def _relative(uri: str, output: str) -> str:
    if not storage.is_local(uri):
        return uri.removeprefix(f"{output}/")
    inside = os.path.relpath(uri, output) if storage.is_local(output) else ".."
    return os.path.abspath(uri) if inside.startswith("..") else inside


def _absolute(noted: str, output: str) -> str:
    if os.path.isabs(noted) or storage.scheme(noted):
        return noted
    return storage.join(output, noted)


def _is_private(root: str) -> bool:
    """Whether this looks like the private location of a run."""
    return storage.exists(storage.join(root, "project.key")) or any(
        storage.walk(storage.join(root, "sessions"))
    )
