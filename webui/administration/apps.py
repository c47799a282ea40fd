"""Django's administration with the product's own order and words."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AdministrationConfig(SimpleAdminConfig):
    """Its pages are found by pbx.urls, so that only the web part pays for them."""

    default_site = "webui.administration.site.Administration"
