"""The types that flow between stages, and what is derived from them: coders, Arrow and Avro.

Everything here is data: frozen msgspec Structs without behaviour beyond small derived properties.
This package imports nothing else of the project, so that every stage can depend on it.

Units, everywhere: ``*_us`` are integer microseconds since the epoch (UTC); ``x``/``y`` are CSS
pixels of the page's viewport unless a docstring says otherwise; ``*_rel`` are fractions 0–1 of it.
"""
