"""Measurements, one command a figure; each runs both sides in one go and prints ratios."""
