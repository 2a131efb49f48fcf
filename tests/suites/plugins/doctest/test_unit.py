import unittest


class TestUnit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.number = 0

    def setUp(self):
        type(self).number += 1

    def test_a(self):
        self.assertTrue(self.number)

    def test_b(self):
        self.fail("b")

    @unittest.skip("no")
    def test_c(self):
        pass

    @unittest.expectedFailure
    def test_d(self):
        self.fail()


class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_x(self):
        pass
