"""An echo server on everloop, and many clients that check what it sends back."""
