def half(n):
    """
    >>> half(4)
    2.0
    >>> half(2)
    3
    """
    return n / 2


def third(n):
    """
    >>> third(3)
    1.0
    """
    return n / 3
