"""The kernel's ways to wait for descriptors, one file each."""
