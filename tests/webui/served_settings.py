"""The product's settings, with the static files and the quick password hash of the tests."""

from __future__ import annotations

import os
from pathlib import Path

from pbx.settings import *  # noqa: F403 - these are the settings, but for two

STATIC_ROOT = Path(os.environ["SERVED_STATIC_ROOT"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
