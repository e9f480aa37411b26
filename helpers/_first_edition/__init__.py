"""The ledger that notebooks 02 to 05 still use; it goes when they are rebuilt."""
