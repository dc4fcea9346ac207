"""How a Stat learns from inotify what happens to its path. Only ``stat`` imports this."""
