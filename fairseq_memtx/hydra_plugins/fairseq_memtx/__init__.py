"""What an installed fairseq-memtx tells hydra, through which fairseq reads its configuration.

``setup.py`` installs this folder as ``hydra_plugins.fairseq_memtx``, the place for plugins, which
it imports whenever it starts. The package itself is not imported: without ``--user-dir`` fairseq is
to work as if nothing were installed.
"""
