"""Data sets that are made on the fly; nothing here knows of fairseq."""
