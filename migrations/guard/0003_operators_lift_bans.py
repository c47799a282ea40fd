"""Operators of an installation that is older than the guard may see and lift bans, too.

A new installation makes the group with these rights itself (pbx.directory.actions.ensure_roles).
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

RIGHTS = ("view_ban", "lift_ban")


def grant(apps, schema_editor):
    group = apps.get_model("auth", "Group").objects.filter(name="Operator").first()
    if group is None:
        return
    # Permissions are usually made when all migrations have run.
    create_permissions(installed.get_app_config("guard"), verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="guard", codename__in=RIGHTS
    )
    group.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("guard", "0002_tell_the_engine"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
