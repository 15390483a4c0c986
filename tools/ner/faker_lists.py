"""Names and places out of Faker's locales; some locales are held out for measuring.

What is held out is in no list of the product and in no training text, so that the benchmark asks
for names that nobody has seen.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from dataclasses import dataclass

HELD_OUT = frozenset("et_EE sl_SI is_IS ro_RO en_KE hu_HU".split())
"""Locales that neither the lists nor the training data know."""

_LATIN = re.compile(r"[A-Za-zÀ-ɏ'’\- .]+")
_FIRST = ("first_names", "first_name")
_LAST = ("last_names", "last_name")
_PLACES = (
    "cities city_names city_name municipalities towns counties provinces states regions "
    "departments governorates districts"
).split()
_STREETS = ("street_names", "street_name", "streets", "street_suffixes")


@dataclass(frozen=True)
class NameLists:
    """Locale → names of it, sorted."""

    first: dict[str, tuple[str, ...]]
    last: dict[str, tuple[str, ...]]
    places: dict[str, tuple[str, ...]]
    streets: dict[str, tuple[str, ...]]
    countries: tuple[str, ...]

    def without(self, locales: frozenset[str]) -> NameLists:
        """The lists of all other locales."""
        return self._picked(lambda locale: locale not in locales)

    def only(self, locales: frozenset[str]) -> NameLists:
        """The lists of these locales (countries stay)."""
        return self._picked(lambda locale: locale in locales)

    def _picked(self, wanted) -> NameLists:
        def pick(lists):
            return {k: v for k, v in lists.items() if wanted(k)}

        return NameLists(
            pick(self.first), pick(self.last), pick(self.places), pick(self.streets), self.countries
        )


def _values(module, prefixes) -> set[str]:
    provider = module.Provider
    found: set[str] = set()
    for attribute in dir(provider):
        if not any(
            attribute == p or (attribute.startswith(p) and p != "street_name") for p in prefixes
        ):
            continue
        value = getattr(provider, attribute)
        if callable(value):
            continue
        items = value.keys() if hasattr(value, "keys") else value
        if not isinstance(items, list | tuple | set | frozenset) and not hasattr(value, "keys"):
            continue
        for item in items:
            item = item[0] if isinstance(item, tuple) else item
            if isinstance(item, str) and _LATIN.fullmatch(item) and 1 < len(item) < 22:
                found.add(item)
    return found


def _collect(kind: str, prefixes) -> dict[str, tuple[str, ...]]:
    package = importlib.import_module(f"faker.providers.{kind}")
    lists = {}
    for module in pkgutil.iter_modules(package.__path__):
        found = _values(importlib.import_module(f"{package.__name__}.{module.name}"), prefixes)
        if len(found) >= 5:
            lists[module.name] = tuple(sorted(found))
    return lists


def other_scripts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns (given, family) names in all other scripts, held-out locales left out."""
    found: tuple[set[str], set[str]] = (set(), set())
    package = importlib.import_module("faker.providers.person")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name in HELD_OUT:
            continue
        provider = importlib.import_module(f"{package.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            value = getattr(provider, attribute)
            kind = {"firs": 0, "last": 1}.get(attribute[:4])
            if kind is None or not isinstance(value, list | tuple | dict | set):
                continue
            for item in value:
                for name in item if isinstance(item, tuple) else (item,):
                    if isinstance(name, str) and not any(c.isascii() for c in name.strip()[:1]):
                        found[kind].add(name.strip())
    return tuple(tuple(sorted(n for n in names if not _LATIN.fullmatch(n))) for names in found)


@functools.lru_cache(1)
def faker_lists() -> NameLists:
    """Returns all lists of Latin script."""
    from faker.providers.date_time import Provider as Dates

    countries = {c.name for c in Dates.countries if _LATIN.fullmatch(c.name)}
    countries |= {c.capital for c in Dates.countries if _LATIN.fullmatch(c.capital)}
    return NameLists(
        _collect("person", _FIRST),
        _collect("person", _LAST),
        _collect("address", _PLACES),
        _collect("address", _STREETS),
        tuple(sorted(countries)),
    )
