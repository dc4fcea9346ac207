"""What internal watchers need: the clock's jumps, owned descriptors, kernels that refuse.

It may know every kind. A kind imports ``owned`` only.
"""
