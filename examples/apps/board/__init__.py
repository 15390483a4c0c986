"""Lanes, the kanban board of the demo."""
