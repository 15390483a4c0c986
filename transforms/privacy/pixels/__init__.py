"""The PrivacyFilter on screenshots: where sensitive text stands in a frame, and its destruction.

``locate`` goes through a session's frames in time order and answers which rectangles must go;
``redact`` destroys them. ``engine`` reads text (OCR), ``incremental`` reads only what changed since
an earlier frame, ``regions`` turns text and known values into rectangles, ``models`` derives the
small recogniser from the installed wheels. Heavy libraries are imported when an engine is loaded.
"""
