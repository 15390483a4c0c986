"""Records the bundled sessions: a scripted person works in the demo applications."""
