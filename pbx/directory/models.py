"""Who is here: SIP domains, people, extensions, their credentials and devices.

State changes go through `actions.py`; the engine learns of them by the triggers of
`pbx.enginelink`, never by signals.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower

from pbx.directory.validators import (
    validate_destination,
    validate_domain,
    validate_mac,
    validate_number,
    validate_one_line,
    validate_paragraphs,
    validate_session_timer,
    validate_trusted,
)


class Domain(models.Model):
    """A SIP domain this server answers for. Its name, in lower case, is the digest realm."""

    class Mode(models.TextChoices):
        PROXY = "proxy", "Relay calls (proxy)"
        REDIRECT = "redirect", "Tell the caller where to go (302 with the registered contacts)"

    name = models.CharField(
        max_length=253,
        unique=True,
        validators=[validate_domain],
        help_text="Such as pbx.example; what stands after the @ of a phone's address.",
    )
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.PROXY)
    is_default = models.BooleanField(
        "default",
        default=False,
        editable=False,
        help_text="Calls and registrations to the bare address of this server are for it.",
    )
    automatic = models.BooleanField(
        default=False,
        editable=False,
        help_text="Made at the first start, not by a person; while empty it may be replaced.",
    )

    session_timer = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[validate_session_timer],
        help_text="Seconds after which phones must confirm that a call is still up (RFC 4028), "
        "such as 1800; calls whose phones are gone then end in the log. 0: the phones decide.",
    )
    assert_identity = models.BooleanField(
        "assert identity",
        default=False,
        db_default=False,
        help_text="Tell the called phone for certain who calls, and the calling phone who rings and "
        "answers (P-Asserted-Identity, RFC 3325).",
    )
    trusted = models.TextField(
        "trusted servers",
        blank=True,
        default="",
        db_default="",
        validators=[validate_trusted],
        help_text="IP addresses, one a line, of other servers whose word about the caller is "
        "believed, and who learn it even if the caller withholds the number.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_domain",
            ),
            # RFC 3261 §19.1.4: host names compare without regard to case.
            models.CheckConstraint(
                condition=models.Q(name=Lower("name")), name="domain_name_in_lower_case"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Store the name in lower case; keep it while phone passwords hold for it."""
        self.name = self.name.lower()
        if self._state.adding:
            return
        before = Domain.objects.filter(pk=self.pk).values_list("name", flat=True).first()
        if before != self.name and self.extensions.exists():
            raise ValidationError(
                {
                    "name": "This domain has extensions, and their phones' passwords hold for its "
                    "name alone. Add a new domain instead and make the extensions there."
                }
            )


class Person(AbstractUser):
    """Someone who may log in to the web side. A phone's password is not hers but her extension's."""

    must_change_password = models.BooleanField(default=False)

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        ordering = ["username"]


class Extension(models.Model):
    """An address of record: `number@domain`, with how long it rings and where it forwards."""

    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="extensions")
    number = models.CharField(max_length=64, validators=[validate_number])
    name = models.CharField(max_length=120, blank=True, validators=[validate_one_line])
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, blank=True, related_name="extensions"
    )
    enabled = models.BooleanField(default=True)
    max_contacts = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Phones that may be registered at once.",
    )
    ring_timeout = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(170)],
        help_text="Seconds until the call counts as not answered.",
    )
    forward_always = models.CharField(
        max_length=255,
        blank=True,
        validators=[validate_destination],
        help_text="A number, an address (1001@pbx.example) or a SIP URI; empty for none.",
    )
    forward_busy = models.CharField(max_length=255, blank=True, validators=[validate_destination])
    forward_no_answer = models.CharField(
        max_length=255, blank=True, validators=[validate_destination]
    )
    forward_no_answer_after = models.PositiveSmallIntegerField(
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(170)],
        help_text="Seconds of ringing before the call goes to the no-answer forward.",
    )

    class Meta:
        ordering = ["domain", "number"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "number"], name="one_number_a_domain")
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}".strip()

    def clean(self) -> None:
        """Keep number and domain once stored; refuse a forward to the extension itself."""
        if not self._state.adding:
            self._check_address_unchanged()
        own = {self.number}
        if self.domain_id is not None:
            own |= {self.aor, f"sip:{self.aor}", f"sips:{self.aor}"}
        for field in ("forward_always", "forward_busy", "forward_no_answer"):
            if (there := getattr(self, field)) and there in own:
                raise ValidationError(
                    {field: "An extension cannot forward to itself. Give another number."}
                )

    def _check_address_unchanged(self) -> None:
        before = Extension.objects.filter(pk=self.pk).values_list("number", "domain_id").first()
        if before is not None and before != (self.number, self.domain_id):
            raise ValidationError(
                "Number and domain of an extension stay as they are, for its phone's password "
                "holds for them alone. Make a new extension and remove this one."
            )

    @property
    def aor(self) -> str:
        return f"{self.number}@{self.domain.name}"


class Credential(models.Model):
    """The digest secrets of an extension (RFC 7616 §3.4.2): H(username:realm:password), no password.

    The realm is kept because the hashes hold for it alone: a renamed domain needs new passwords.
    """

    extension = models.OneToOneField(Extension, on_delete=models.CASCADE, related_name="credential")
    realm = models.CharField(max_length=253)
    ha1_md5 = models.CharField(max_length=32)
    ha1_sha256 = models.CharField(max_length=64)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"credential of {self.extension}"


class Device(models.Model):
    """A telephone that somebody owns; `user_agent` ties registrations to it in the lists."""

    extension = models.ForeignKey(Extension, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=120, validators=[validate_one_line])
    mac = models.CharField(
        "MAC address",
        max_length=17,
        blank=True,
        validators=[validate_mac],
    )
    user_agent = models.CharField(
        max_length=200,
        blank=True,
        validators=[validate_one_line],
        help_text="What the phone calls itself; its registrations show this device's name.",
    )
    notes = models.TextField(blank=True, max_length=10_000, validators=[validate_paragraphs])

    class Meta:
        ordering = ["extension", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["extension", "name"], name="one_device_name_an_extension"
            )
        ]

    def __str__(self) -> str:
        return self.name
