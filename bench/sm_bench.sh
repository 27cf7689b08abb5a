#!/usr/bin/env bash
# The ledger with its parallel log in SM3 and SM2: ledger_bench.c says what is measured.
exec "$CITYBRAIN_BUILD/bench/ledger_bench" --sm
