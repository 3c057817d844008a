"""fairseq layers built on ``memory/``; they know nothing of models."""
