"""The data structures of the hot path, one file each."""
