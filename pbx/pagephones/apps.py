from __future__ import annotations

from django.apps import AppConfig


class PagePhonesConfig(AppConfig):
    name = "pbx.pagephones"
    label = "pagephones"
