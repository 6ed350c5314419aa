"""The table of the two peers that stand on Django."""
