"""All that changes domains, people and extensions. Each action is one transaction.

The engine learns of a change by the triggers of `pbx.enginelink`. Invalid values raise
django's ValidationError with sentences for the user, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction

from pbx.directory.models import Credential, Domain, Extension, Person
from pbx.directory.passwords import generate_password, hash_password, validate_password

__all__ = [
    "OPERATOR",
    "add_domain",
    "add_extension",
    "change_extension",
    "enable_extensions",
    "ensure_admin",
    "ensure_default_domain",
    "ensure_roles",
    "generate_password",
    "is_empty",
    "is_replaceable",
    "make_default",
    "remove_domain",
    "remove_extension",
    "set_extension_password",
]

OPERATOR: Final = "Operator"
"""The group that runs the PBX day by day: sees everything, changes extensions and rules, lifts bans."""
_SEEN_APPS: Final = ("directory", "routing", "registrations", "calls", "guard", "subscriptions")
_CHANGED_MODELS: Final = ("extension", "credential", "device", "rule", "target")

# ------------------------------------------------------------------ domains


@transaction.atomic
def ensure_default_domain(name: str) -> Domain:
    """Return the default domain; make `name`, a host name or address, the default if there is none.

    A default that was made by an earlier call of this function and is still empty takes the new
    name, so that a changed host name is followed until somebody uses the domain.
    """
    name = _domain_name(name)
    current = Domain.objects.select_for_update().filter(is_default=True).first()
    if current is None:
        existing = Domain.objects.filter(name=name).first()
        return make_default(existing or add_domain(name, automatic=True))
    if current.name == name or not is_replaceable(current):
        return current
    named = Domain.objects.filter(name=name).first()
    if named is not None:
        make_default(named)
        current.delete()
        return named
    current.name = name
    current.full_clean()
    current.save(update_fields=["name"])
    return current


def _domain_name(host: str) -> str:
    """Return a host as SIP URIs write it: in lower case, an IPv6 address in brackets."""
    return f"[{host}]".lower() if ":" in host and not host.startswith("[") else host.lower()


def is_replaceable(domain: Domain) -> bool:
    """Tell whether a domain was made automatically and nobody has put anything into it."""
    return domain.automatic and is_empty(domain)


def is_empty(domain: Domain) -> bool:
    """Tell whether a domain has neither extensions nor rules."""
    return not domain.extensions.exists() and not domain.rules.exists()


@transaction.atomic
def add_domain(name: str, mode: str = Domain.Mode.PROXY, *, automatic: bool = False) -> Domain:
    domain = Domain(name=name, mode=mode, automatic=automatic)
    domain.full_clean()
    domain.save()
    return domain


@transaction.atomic
def make_default(domain: Domain) -> Domain:
    """Let calls and registrations to the bare address of this server be for `domain`."""
    Domain.objects.filter(is_default=True).exclude(pk=domain.pk).update(is_default=False)
    domain.is_default = True
    domain.save(update_fields=["is_default"])
    return domain


@transaction.atomic
def remove_domain(domain: Domain) -> None:
    """Remove a domain with its rules; refuse the default one and one with extensions."""
    if domain.is_default:
        raise ValidationError(
            f"{domain.name} is the default domain. Make another domain the default first."
        )
    if domain.extensions.exists():
        raise ValidationError(f"{domain.name} still has extensions. Remove them first.")
    domain.delete()


# ------------------------------------------------------------------ people


@transaction.atomic
def ensure_admin(password: str | None) -> str | None:
    """Make the superuser `admin` if nobody administers yet, and the group Operator.

    Without a password one is generated, to be changed at the first login; it is returned here
    and never again. Otherwise returns None.
    """
    ensure_roles()
    # A plain person who took the name must not become an administrator by a restart.
    if Person.objects.filter(is_superuser=True).exists() or (
        Person.objects.filter(username="admin").exists()
    ):
        return None
    generated = generate_password() if password is None else None
    admin = Person(
        username="admin",
        is_staff=True,
        is_superuser=True,
        must_change_password=generated is not None,
    )
    admin.set_password(password if password is not None else generated)
    admin.save()
    return generated


@transaction.atomic
def ensure_roles() -> Group:
    """Make the group Operator if it is not there; an existing one keeps what an admin gave it.

    Whoever administers is a superuser and needs no group.
    """
    group, made = Group.objects.get_or_create(name=OPERATOR)
    if made:
        ours = Permission.objects.filter(content_type__app_label__in=_SEEN_APPS)
        seen = ours.filter(codename__startswith="view_")
        changed = ours.filter(content_type__model__in=_CHANGED_MODELS)
        lifts = ours.filter(codename="lift_ban")
        group.permissions.set(seen | changed | lifts)
    return group


# ------------------------------------------------------------------ extensions


@transaction.atomic
def add_extension(
    domain: Domain, number: str, password: str | None = None, **fields: Any
) -> Extension:
    """Add an extension; without a password no phone can register for it yet."""
    extension = Extension(domain=domain, number=number, **fields)
    extension.full_clean()
    extension.save()
    if password is not None:
        set_extension_password(extension, password)
    return extension


@transaction.atomic
def change_extension(extension: Extension, **fields: Any) -> Extension:
    """Change fields of an extension, all or none."""
    for name, value in fields.items():
        setattr(extension, name, value)
    extension.full_clean()
    extension.save()
    return extension


@transaction.atomic
def remove_extension(extension: Extension) -> None:
    """Remove an extension with its credential and devices."""
    extension.delete()


@transaction.atomic
def enable_extensions(extensions: Iterable[Extension], enabled: bool) -> int:
    """Enable or disable extensions; return how many were otherwise before."""
    keys = [extension.pk for extension in extensions]
    return Extension.objects.filter(pk__in=keys).exclude(enabled=enabled).update(enabled=enabled)


@transaction.atomic
def set_extension_password(extension: Extension, password: str) -> None:
    """Store the digest secrets of `password`, valid for the domain's name; never the password.

    Phones that registered with another one are signed out; if it is the same, nothing changes.
    """
    validate_password(password)
    realm = extension.domain.name
    secrets = hash_password(extension.number, realm, password)
    wanted = {"realm": realm, **secrets._asdict()}
    if not Credential.objects.filter(extension=extension, **wanted).exists():
        Credential.objects.update_or_create(extension=extension, defaults=wanted)
