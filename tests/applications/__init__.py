"""Applications and libraries in wide use, run on everloop's EventLoop with real sockets."""
