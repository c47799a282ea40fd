"""What the administration's templates say of a list."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.defaultfilters import capfirst

from webui.administration.site import list_name

register = template.Library()


@register.filter
def heading(opts: Any) -> str:
    """The heading of a model's list, from the model's `_meta`."""
    return capfirst(list_name(opts.object_name, str(opts.verbose_name_plural)))
