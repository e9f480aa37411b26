"""Where a network stands in weight space and input space: measures, landscapes."""
