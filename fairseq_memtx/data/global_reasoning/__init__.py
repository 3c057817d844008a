"""Two tagging tasks that need the whole sequence, made on the fly.

A model whose tokens see their own chunk alone can only guess what the rest of the sequence holds.
How often the best guess is right is known exactly, so that a better accuracy proves that
information crossed chunks. Both tasks are this project's own.
"""
