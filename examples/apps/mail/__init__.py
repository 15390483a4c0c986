"""Postbox, the mail client of the demo."""
