"""The kinds of watchers, one file each."""
