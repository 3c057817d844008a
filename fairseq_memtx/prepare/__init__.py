"""Raw text becomes a folder that ``fairseq-train`` can read: one file a kind of text.

Nothing here imports torch or fairseq; ``fairseq-preprocess`` runs in a process of its own.
"""
