"""``fairseq-hydra-train model=NAME`` without ``--config-dir``, and hydra quiet about fairseq."""

import importlib.util
import sys
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class MemtxSearchPath(SearchPathPlugin):
    """Puts the folder of our YAML files behind fairseq's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add it for fairseq's hydra commands alone: others know our names from the registry."""
        package = importlib.util.find_spec("fairseq_memtx")
        if "fairseq_cli.hydra_train" in sys.modules and package and package.origin:
            folder = Path(package.origin).parent
            # Not as_uri(): hydra opens what stands behind "file://" as it is.
            search_path.append("fairseq-memtx", f"file://{folder / 'config'}")
            # The plugin itself is imported when hydra has said all it has to say of fairseq.
            importlib.import_module("fairseq_memtx.quiet").be_quiet()
