"""Who runs an older installation may lift bans after the upgrade."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group, Permission

from pbx.directory.actions import OPERATOR, ensure_roles


def test_operators_of_older_installations_get_the_rights(db: None) -> None:
    grant = import_module("migrations.guard.0003_operators_lift_bans").grant
    grant(apps, None)
    assert not Group.objects.filter(name=OPERATOR).exists(), "nothing to do on a new one"
    group = ensure_roles()
    ours = Permission.objects.filter(content_type__app_label="guard")
    group.permissions.remove(*ours)
    ours.delete()  # as before the upgrade
    grant(apps, None)
    rights = group.permissions.filter(content_type__app_label="guard")
    assert {one.codename for one in rights} == {"view_ban", "lift_ban"}
