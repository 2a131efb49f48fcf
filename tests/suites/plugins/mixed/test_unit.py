import unittest


class TestUnit(unittest.TestCase):
    def test_one(self):
        pass

    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)
