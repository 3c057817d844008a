"""What the papers claim, measured: ``bash scripts/reproduce.sh``.

A claim (`claim`) is a file with runs and a rule. A run (`runs`) is a few commands of an
experiment's file, done once whoever wants it (`work`). What the runs measured is put together
(`evaluation`) and judged (`rule`), and written down (`pages`, `picture`).
"""
