"""Experiments: functions from (seed, n, recipe) to named arrays, one row a replicate.

A module a world (a data source with its networks). `store` keeps what they returned, `run` calls them, `judge` turns
stored replicates into verdicts.
"""
