import os

SECRET_KEY = "secret"
HERE = os.path.dirname(__file__)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(HERE, "db.sqlite3"),
        "TEST": {"NAME": os.path.join(HERE, "tests.sqlite3")},
    }
}
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
