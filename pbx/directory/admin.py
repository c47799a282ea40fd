"""Domains, people, extensions and devices in the admin."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.forms import CheckboxSelectMultiple, ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from pbx.chosen import OnlyChosen
from pbx.directory import actions
from pbx.directory.forms import ExtensionForm
from pbx.directory.models import Credential, Device, Domain, Extension, Person

_DOMAIN_FINE: Final = ("session_timer", "assert_identity", "trusted")
_DOMAIN_LABELS: Final = {
    "mode": "How calls are connected",
    "session_timer": "Check calls every",
    "assert_identity": "Vouch for the caller's number",
    "trusted": "Trusted servers",
}
_PERSON_LABELS: Final = {
    "username": "User name",
    "must_change_password": "Must choose a new password at the next log-in",
    "is_active": "May log in",
    "is_staff": "May open the administration",
    "is_superuser": "May do everything",
}
_PERSON_HELP: Final = {
    "username": "What this person types to log in: letters, digits and @ . + - _",
    "must_change_password": "Right after you gave a password that you know, too.",
    "is_active": "Take this away instead of deleting somebody who has left.",
    "groups": "Operator opens the dashboard: live calls, call log, phones, routing.",
    "is_staff": "Sees there only what the groups allow.",
    "is_superuser": "All pages and all rights, whatever the groups say.",
}


@admin.register(Domain)
class DomainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "mode", "default", "extension_count")
    list_filter = ("mode",)
    search_fields = ("name",)
    readonly_fields = ("is_default",)
    actions = ("make_default",)
    fieldsets = (
        (None, {"fields": ("name", "is_default", "mode")}),
        ("For other servers and long calls", {"fields": _DOMAIN_FINE}),
    )

    def get_form(
        self, request: HttpRequest, obj: Domain | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(request, obj, change=change, labels=_DOMAIN_LABELS, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        rows: QuerySet[Domain] = super().get_queryset(request)
        return rows.annotate(extension_count=Count("extensions"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found = super().get_actions(request)
        # One at a time, by its own page: that one refuses the default domain.
        found.pop("delete_selected", None)
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Domain | None = None) -> bool:
        is_default = obj is not None and obj.is_default
        return super().has_delete_permission(request, obj) and not is_default

    def save_model(self, request: HttpRequest, obj: Domain, form: Any, change: bool) -> None:
        obj.automatic = False  # somebody has looked after it
        super().save_model(request, obj, form, change)

    @admin.display(description="default", boolean=True, ordering="is_default")
    def default(self, domain: Domain) -> bool:
        return domain.is_default

    @admin.display(description="extensions", ordering="extension_count")
    def extension_count(self, domain: Any) -> int:
        count: int = domain.extension_count
        return count

    @admin.action(description="Make the default domain", permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[Domain]) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, "Choose one domain, not several.", messages.ERROR)
            return
        actions.make_default(chosen[0])
        self.message_user(request, f"{chosen[0]} is the default domain now.", messages.SUCCESS)


@admin.register(Person)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """People; only a superuser may make, change or become one of those who administer."""

    list_display = ("username", "first_name", "last_name", "email", "is_staff", "is_active")
    list_filter = ("is_superuser", "is_staff", "is_active", "groups")
    filter_horizontal = ()
    search_fields = ("username", "first_name", "last_name", "email")
    fieldsets = (
        (None, {"fields": ("username", "password", "must_change_password")}),
        ("Name", {"fields": ("first_name", "last_name", "email")}),
        (
            "What this person may do",
            {"fields": ("is_active", "groups", "is_staff", "is_superuser")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    # A person comes by name and password here; the rest is on the page that follows.
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "first_name",
                    "last_name",
                    "password1",
                    "password2",
                    "must_change_password",
                )
            },
        ),
    )

    def get_form(
        self, request: HttpRequest, obj: Person | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        wording = {"labels": _PERSON_LABELS, "help_texts": _PERSON_HELP}
        return super().get_form(request, obj, change=change, **wording, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The few groups are ticked."""
        if db_field.name == "groups":
            kwargs["widget"] = CheckboxSelectMultiple()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        initial.setdefault("must_change_password", True)
        return initial

    def get_readonly_fields(
        self, request: HttpRequest, obj: Person | None = None
    ) -> list[str] | tuple[Any, ...]:
        fields = ["last_login", "date_joined"]
        if not _is_superuser(request):
            fields += ["is_superuser", "is_staff", "groups", "user_permissions"]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Person | None) -> bool:
        return obj is None or not obj.is_superuser or _is_superuser(request)


class DeviceInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Device
    extra = 0
    fields = ("name", "mac", "user_agent")


@admin.register(Extension)
class ExtensionAdmin(OnlyChosen, admin.ModelAdmin):  # type: ignore[type-arg]
    only_chosen = ("person", "domain")
    form = ExtensionForm
    inlines = (DeviceInline,)
    list_display = ("number", "name", "domain", "person", "enabled", "password_set", "forwards")
    list_display_links = ("number", "name")
    list_filter = ("enabled", "domain")
    list_select_related = ("domain", "person")
    search_fields = ("number", "name", "person__username", "devices__name", "devices__mac")
    search_help_text = "Number, name, person or device"
    ordering = ("domain__name", "number")
    autocomplete_fields = ("person",)
    actions = ("enable", "disable")
    empty_value_display = "–"
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Extension]:
        usable = Credential.objects.filter(extension=OuterRef("pk"), realm=OuterRef("domain__name"))
        rows: QuerySet[Extension] = super().get_queryset(request)
        return rows.annotate(password_set=Exists(usable))

    def get_fieldsets(self, request: HttpRequest, obj: Extension | None = None) -> Any:
        address = ["number", "name", "domain", "person", "enabled"]
        ringing = ["max_contacts", "ring_timeout"]
        forwards = [
            "forward_always",
            "forward_busy",
            "forward_no_answer",
            "forward_no_answer_after",
        ]
        sections = [(None, {"fields": address}), ("Ringing", {"fields": ringing})]
        if request.user.has_perm("directory.change_credential"):
            password = ["new_password", "generate"]
            sections.insert(1, ("Phone password", {"fields": password}))
        return [*sections, ("Forwarding", {"fields": forwards})]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Extension | None = None
    ) -> tuple[str, ...]:
        # The password's hashes hold for number and domain; a new number is a new extension.
        return () if obj is None else ("number", "domain")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        default = Domain.objects.filter(is_default=True).first()
        if default is not None:
            initial.setdefault("domain", default.pk)
        return initial

    def save_model(
        self, request: HttpRequest, obj: Extension, form: ModelForm[Extension], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        password = form.cleaned_data.get("new_password")
        if form.cleaned_data.get("generate"):
            password = actions.generate_password()
            self.message_user(
                request,
                format_html(
                    "The password of {} is <code>{}</code> – it is shown only this once.",
                    obj.number,
                    password,
                ),
                messages.WARNING,
            )
        if password:
            actions.set_extension_password(obj, password)
            self.message_user(request, _phone_settings(obj), messages.INFO)
        elif not change:
            self.message_user(
                request,
                format_html(
                    'No phone can log in as {} yet: it has no password. <a href="{}">Give it one</a>.',
                    obj.number,
                    reverse("admin:directory_extension_change", args=[obj.pk]),
                ),
                messages.WARNING,
            )

    @admin.display(description="password", boolean=True, ordering="password_set")
    def password_set(self, extension: Any) -> bool:
        return bool(extension.password_set)

    @admin.display(description="forwards", ordering=F("forward_always").asc())
    def forwards(self, extension: Extension) -> str:
        parts = (
            ("always", extension.forward_always),
            ("busy", extension.forward_busy),
            ("no answer", extension.forward_no_answer),
        )
        return ", ".join(f"{when}: {where}" for when, where in parts if where) or "–"

    @admin.action(description="Enable selected extensions", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Extension]) -> None:
        count = actions.enable_extensions(queryset, True)
        self.message_user(request, f"{count} extensions enabled.", messages.SUCCESS)

    @admin.action(description="Disable selected extensions", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Extension]) -> None:
        count = actions.enable_extensions(queryset, False)
        self.message_user(
            request,
            f"{count} extensions disabled: they can neither call nor be called.",
            messages.SUCCESS,
        )


@admin.register(Device)
class DeviceAdmin(OnlyChosen, admin.ModelAdmin):  # type: ignore[type-arg]
    only_chosen = ("extension",)
    list_display = ("name", "extension", "mac", "user_agent")
    list_select_related = ("extension",)
    search_fields = ("name", "mac", "user_agent", "extension__number", "extension__name")
    ordering = ("name", "pk")
    autocomplete_fields = ("extension",)
    empty_value_display = "–"


def _phone_settings(extension: Extension) -> SafeString:
    """What to enter into a phone of this extension, but for the password."""
    environment = settings.ENVIRONMENT
    return format_html(
        "In the phone enter: server <code>{}</code>, port <code>{}</code> (UDP or TCP), domain "
        "<code>{}</code>, user name <code>{}</code> and the password.",
        environment.advertised_address,
        environment.sip_port,
        extension.domain.name,
        extension.number,
    )


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
