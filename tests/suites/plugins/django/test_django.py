import pytest
from django.db import connection
from django.test import TestCase
from shop.models import Item


@pytest.mark.django_db
@pytest.mark.parametrize("n", range(10))
def test_insert(n, record_property):
    Item.objects.create(name=str(n))
    assert Item.objects.count() == 1
    record_property("database", connection.settings_dict["NAME"].rpartition("/")[2])


class TestOfDjango(TestCase):
    def test_insert(self):
        Item.objects.create(name="u")
        self.assertEqual(Item.objects.count(), 1)


@pytest.mark.django_db(transaction=True)
def test_transaction():
    Item.objects.create(name="z")


def test_forbidden():
    Item.objects.count()
