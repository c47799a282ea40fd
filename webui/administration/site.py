"""What the administration's first page and its side list show: lists by purpose, not by program."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse

_SECTIONS: Final = (
    ("Telephones", ("Extension", "Device", "Binding", "Subscription")),
    ("Where calls go", ("Rule", "Domain")),
    ("People and access", ("Person", "Group", "AccessAttempt")),
    ("What happened", ("Call", "KeptMessage", "Ban")),
)
_REST: Final = "Other"
_NAMES: Final = {
    "Binding": "Registrations",
    "AccessAttempt": "Wrong log-ins",
    "KeptMessage": "Waiting texts",
    "Ban": "Banned addresses",
}


def list_name(object_name: str, usual: str) -> str:
    """The heading of a model's list."""
    return _NAMES.get(object_name, usual)


class Administration(AdminSite):
    site_title = "Branchline"
    site_header = "Branchline administration"
    index_title = "Administration"
    site_url = None  # the way back stands beside the name

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The lists that this person may see, in sections; of one program for `app_label`."""
        found: list[Any] = super().get_app_list(request, app_label)
        models = {model["object_name"]: model for app in found for model in app["models"]}
        for name, model in models.items():
            model["name"] = list_name(name, model["name"])
        if app_label is not None:
            return found
        known = {name for _, names in _SECTIONS for name in names}
        rest = tuple(name for name in models if name not in known)
        return [
            {
                "name": title,
                "app_label": title.lower().replace(" ", "-"),
                "app_url": reverse("admin:index"),
                "has_module_perms": True,
                "models": shown,
            }
            for title, names in (*_SECTIONS, (_REST, rest))
            if (shown := [models[name] for name in names if name in models])
        ]
