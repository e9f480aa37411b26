"""What `make` calls, from the top of a checkout: ``python -m tools.notebooks``, for example."""
