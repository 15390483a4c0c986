"""Finders are costly to build; the tests of this folder share them."""

from __future__ import annotations

import dataclasses

import pytest

from transforms.privacy.config import load_scrubber_config
from transforms.privacy.finder import TextFinder


class NoNames:
    """Finds no names: for tests of everything else."""

    def find_many(self, texts, kinds):
        return [[] for _ in texts]


@pytest.fixture(scope="session")
def config():
    return load_scrubber_config(None)


@pytest.fixture(scope="session")
def patterns_only(config):
    return TextFinder(config, NoNames())


@pytest.fixture(scope="session")
def found(patterns_only):
    """text, kind → {(value, entity)}"""

    def find(text, kind="prose"):
        return {(text[s.start : s.end], s.entity) for s in patterns_only.find(text, kind)}

    return find


@pytest.fixture
def placeholders(config):
    return dataclasses.replace(config, replacement="placeholder")
