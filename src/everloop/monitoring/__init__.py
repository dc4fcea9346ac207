"""Eyes on a running loop: what another thread, or another process, sees of it.

Nothing of everloop's imports this before somebody asks for it.
"""
