"""Normalisation: raw events become actions, and actions become steps with an observation."""
