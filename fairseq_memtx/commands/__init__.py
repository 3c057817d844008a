"""``fairseq-memtx``: one file a command, with its flags; the work is done in the rooms below.

Nothing here imports torch or fairseq on being imported, so that ``--help`` comes at once.
"""
