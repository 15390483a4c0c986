"""The invented applications of ``invented_apps.yaml``, as types."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

STRING, NUMBER, BOOLEAN = "STRING", "NUMBER", "BOOLEAN"


class P(msgspec.Struct, frozen=True):
    """A parameter and the field it is entered in (``label`` None: it is the thing itself)."""

    name: str
    about: str = ""
    label: str | None = None
    key: str = ""
    kind: str = STRING
    values: str = "words"
    control: str = "textbox"
    required: bool = True


class A(msgspec.Struct, frozen=True):
    """An action: ways to name it, how it is done, what it sends."""

    names: str
    about: str
    how: str
    """form, row, detail, toggle, select, search, filter, drag, menu, confirm, slider, inline …"""
    request: str
    button: str = ""
    opener: str = ""
    params: tuple[P, ...] = ()
    others: tuple[P, ...] = ()
    """Fields of the form that are no parameters."""


class App(msgspec.Struct, frozen=True):
    """One application with everything that can be done in it."""

    name: str
    noun: str
    titles: str
    window: str
    actions: tuple[A, ...]
    pages: str = "Home;Reports;Help;Profile"


def _load() -> dict[str, tuple[App, ...]]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), dict[str, tuple[App, ...]])


_APPS = _load()
TUNED = _APPS["tuned"]
HELD_OUT = _APPS["held_out"]
"""Never looked at while the weights were fitted; figures without hints are measured on these."""
