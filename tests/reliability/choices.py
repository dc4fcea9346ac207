"""Choices that a string of bytes makes, so that a fuzzer or a seed can make them."""

import random


class Choices:
    """What of random.Random the programs use, from bytes; the first of all once they are used up."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def randrange(self, begin, end=None):
        begin, end = (0, begin) if end is None else (begin, end)
        number, size = 0, 1
        while size < end - begin and self.at < len(self.data):
            number = number << 8 | self.data[self.at]
            size <<= 8
            self.at += 1
        return begin + number % (end - begin)

    def choice(self, sequence):
        return sequence[self.randrange(len(sequence))]

    def chance(self, one_in):
        return self.randrange(one_in) == one_in - 1


def seeded(seed, size=400):
    """The bytes that stand for a seed."""
    return random.Random(seed).randbytes(size)
