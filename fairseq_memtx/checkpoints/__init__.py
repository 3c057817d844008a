"""Checkpoints: which are believed, which a run begins with, and weights of other sizes."""
