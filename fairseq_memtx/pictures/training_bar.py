"""One progress bar for a whole training, drawn from the log that ``fairseq-train`` prints.

    fairseq-train ... --log-format simple --log-interval 20 | fairseq-memtx plot progress

fairseq's own bar starts again with every epoch, and is not shown where the output is no terminal.
"""

import re
import sys

from tqdm import tqdm


def show() -> None:
    """Read the log from stdin to its end."""
    bar = tqdm(desc="training", unit="update", mininterval=1)
    for line in sys.stdin:
        limit = re.search(r"'max_update': (\d+)", line)
        if limit:  # the configuration, which fairseq prints first
            bar.total = int(limit[1]) or None
        update = re.search(r"\| train_inner \|.* loss=([\d.]+).* num_updates=(\d+)", line)
        if update:
            bar.set_postfix(loss=update[1], refresh=False)
            bar.update(int(update[2]) - bar.n)
    bar.close()
