"""What memory tokens add to a state dict: ``python added_weights.py WITHOUT.pt WITH.pt``."""

import sys

from fairseq_memtx.checkpoints.safe_loading import load_checkpoint


def main(without: str, with_memory: str) -> None:
    """Print how many keys differ that are no memory, and how many vectors were added."""
    before, after = (load_checkpoint(path)["model"] for path in (without, with_memory))
    added = [key for key in after if key not in before]
    memory = [key for key in added if "memory" in key]
    changed = [key for key in before if key not in after or before[key].shape != after[key].shape]
    width = before["decoder.embed_tokens.weight"].size(1)
    print(f"added: {', '.join(added)}")
    print(f"keys that are no memory: {len(added) - len(memory) + len(changed)}")
    print(f"vectors that were added: {sum(after[key].numel() for key in memory) / width}")


if __name__ == "__main__":
    main(*sys.argv[1:])
