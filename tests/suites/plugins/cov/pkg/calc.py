def sign(n):
    if n > 0:
        return 1
    elif n < 0:
        return -1
    return 0


def never():
    return "never"


def half(n):
    return n / 2 if n else 0
