"""``fairseq-memtx plot progress``: a bar over all updates, from fairseq's log."""

from conftest import succeed

LOG = """\
2026-01-01 | INFO | fairseq_cli.train | {'optimization': {'max_epoch': 0, 'max_update': 40}}
2026-01-01 | INFO | train_inner | epoch 001: 20 / 30 loss=7.5, ppl=157, num_updates=20, lr=0.1
2026-01-01 | INFO | train | epoch 001 | loss 6.1 | num_updates 30
2026-01-01 | INFO | train_inner | epoch 002: 10 / 30 loss=3.25, ppl=15, num_updates=40, lr=0.1
"""


def test_bar_counts_updates_over_epochs():
    output = succeed("fairseq-memtx", "plot", "progress", input=LOG)
    last = output.replace("\r", "\n").strip().splitlines()[-1]
    assert "training: 100%" in last
    assert "40/40" in last
    assert "loss=3.25" in last


def test_bar_without_a_limit():
    """As hydra prints ``optimization.max_update=null``."""
    log = LOG.replace("'max_update': 40", "'max_update': None")
    output = succeed("fairseq-memtx", "plot", "progress", input=log)
    assert "training: 40update" in output.replace("\r", "\n").strip().splitlines()[-1]
