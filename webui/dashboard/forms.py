"""Forms of the dashboard's own pages; most objects are still edited in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError


class LogInForm(AuthenticationForm):
    """User name and password; a wrong one of either is answered by the same plain words."""

    def get_invalid_login_error(self) -> ValidationError:
        words = "User name or password is wrong. Capital and small letters matter."
        return ValidationError(words, code="invalid_login")


class NewPasswordForm(PasswordChangeForm):
    """The old and a new password; the new one must differ, and ends a one-time password's duty."""

    def clean_new_password1(self) -> str:
        new: str = self.cleaned_data["new_password1"]
        if new and self.user.check_password(new):
            raise ValidationError("This is the password you have now. Choose another one.")
        return new

    def save(self, commit: bool = True) -> Any:
        self.user.must_change_password = False
        return super().save(commit)
