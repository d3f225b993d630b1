"""Scenes with a known front, for training, tests and the demo."""
