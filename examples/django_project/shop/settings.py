"""Settings of the host project; the last part is Parley's."""

import os
from pathlib import Path

DEBUG = True
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "only-for-this-example-and-only-with-DEBUG")
ALLOWED_HOSTS = [".localhost", "127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", "shop.sqlite3"),
    }
}
ROOT_URLCONF = "shop.urls"
LOGIN_URL = "/admin/login/"
STATIC_URL = "static/"
USE_TZ = True

PARLEY_URL = os.environ.get("PARLEY_URL", "http://127.0.0.1:8000")
# Created by `manage.py apikey create shop --scope sessions --scope users`.
PARLEY_API_KEY = os.environ.get("PARLEY_API_KEY", "")
# One of Parley's CHAT_WEBHOOK_SECRETS.
PARLEY_WEBHOOK_SECRET = os.environ.get("PARLEY_WEBHOOK_SECRET", "")
# Where Parley reaches this project.
SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8080")
