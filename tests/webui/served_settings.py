"""The product's settings, with static files from the directory that the tests collected."""

from __future__ import annotations

import os
from pathlib import Path

from pbx.settings import *  # noqa: F403 - these are the settings, but for one

STATIC_ROOT = Path(os.environ["SERVED_STATIC_ROOT"])
