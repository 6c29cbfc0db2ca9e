"""Synthetic rain and training images."""
