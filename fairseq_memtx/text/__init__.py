"""How text becomes tokens, in plain Python: what ``prepare/`` and the plugin share.

A text enters in many places: ``fairseq-memtx prepare``, ``fairseq-interactive``, the hub
interfaces, question answering. Wherever it does, it goes through `folder.FolderText`, so that it is
cut into the same tokens. Nothing here imports fairseq or torch, whose import takes seconds.
"""
