"""Orchard Lane, the grocery shop of the demo."""
