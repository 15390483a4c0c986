"""The application: cli → options → graph → runner → report. Knows everything below it."""
