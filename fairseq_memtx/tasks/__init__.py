"""Tasks. The Memory Transformer needs none: it trains on fairseq's own ``translation``."""
