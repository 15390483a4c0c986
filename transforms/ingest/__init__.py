"""Finds recorded sessions and reads them into traces, validated; bad input becomes failures."""
