"""Dataspine: the spine under a desk's market and trade data.

Module map, lowest floor first (imports go downwards only; tests/arch/test_layers.py holds the table):

- `errors`, `clock`, `inert_text`: the exception tree, time, and text made safe for a terminal
- `schemas`: every noun, frozen
- `config`, `logging_config`: settings and structured logs
- `normalization`, `validation`: text columns to exact typed columns, and the contracts on them
- `adapters`, `store`: vendor bytes in, SQLite
- `audit`: the hash-chained log
- `pipeline`: the heart (`stages`) and one attempt around it (`ingest`, `redrive`)
- `service`: the one door for front ends
- `cli`: the commands
"""

__version__ = "0.1.0"
