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
        "which nobody can read back.",
    )
    generate = forms.BooleanField(
        required=False,
        label="Generate a password",
        help_text="Makes a strong one and shows it once, after saving.",
    )

    class Meta:
        model = Extension
        exclude = ()
        help_texts: ClassVar = {
            "person": "Whose it is: who logs in as this person is this extension on the page My phone.",
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
