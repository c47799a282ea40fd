"""Forms of the directory: an extension with a new password that is stored as hashes only."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from pbx.directory.models import Extension
from pbx.directory.passwords import PASSWORD_LIMIT, validate_password

_SHORTEST: Final = 8
"""A digest can be guessed at off line by whoever sees one; eight characters are the least."""


class ExtensionForm(forms.ModelForm):  # type: ignore[type-arg]
    """An extension, and a password for its phones: typed here, or generated and shown once."""

    new_password = forms.CharField(
        required=False,
        max_length=PASSWORD_LIMIT,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="What its phones log in with. Leave it empty to keep the present password, "
        "which nobody can read back. With a new one, phones that use the old one are signed out.",
    )
    generate = forms.BooleanField(
        required=False,
        label="Generate a password",
        help_text="Makes a strong one and shows it once, after saving.",
    )

    class Meta:
        model = Extension
        exclude = ()
        labels: ClassVar = {
            "max_contacts": "Phones at once",
            "ring_timeout": "Ring for",
            "forward_always": "Always",
            "forward_busy": "When busy",
            "forward_no_answer": "When nobody answers",
            "forward_no_answer_after": "Nobody answers after",
        }
        help_texts: ClassVar = {
            "number": "What people dial to reach it, such as 214. Its phones log in with it, too.",
            "name": "Whose or what it is, such as Mira Okafor or Reception.",
            "person": "Whose it is: who logs in as this person is this extension on the page My phone.",
            "enabled": "Switched off, it can neither call nor be called.",
            "max_contacts": "How many phones may be logged in for this number.",
            "ring_timeout": "Seconds; then the call counts as not answered.",
            "forward_always": "A number, an address (1001@pbx.example) or a SIP URI. Empty: the phones ring.",
            "forward_busy": "Where calls go while its phones are busy. Empty: the caller hears that it is busy.",
            "forward_no_answer": "Where calls go then. Empty: the caller hears that nobody answers.",
            "forward_no_answer_after": "Seconds of ringing before the call goes there.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        password = cleaned.get("new_password")
        if not password:
            return cleaned
        if cleaned.get("generate"):
            self.add_error("generate", "Give a password or have one generated, not both.")
        number = cleaned.get("number") or self.instance.number
        try:
            validate_password(password)
        except ValidationError as error:
            self.add_error("new_password", error)
            return cleaned
        if len(password) < _SHORTEST or (number and password.startswith(number)):
            self.add_error(
                "new_password",
                f"Too easy to guess: give at least {_SHORTEST} characters that do not begin with "
                "the number, or have one generated.",
            )
        return cleaned
