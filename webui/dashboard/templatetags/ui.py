"""The small parts that every template is made of."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webui.dashboard.states import State

register = template.Library()

_ONE_LINE: Final = 24  # characters: what a column of a narrow card holds
_THEMES: Final = ("light", "dark", "auto")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; without a label it is decoration and hidden from screen readers."""
    source = f"{static('branchline/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="i" role="img" aria-label="{}"><use href="{}"></use></svg>', label, source
        )
    return format_html('<svg class="i" aria-hidden="true"><use href="{}"></use></svg>', source)


@register.simple_tag
def state(shown: State) -> SafeString:
    """A state's badge: icon, word, tone."""
    classes = f"state tone-{shown.tone}"
    classes += " quiet" if shown.quiet else ""
    classes += " breathing" if shown.breathing else ""
    return format_html('<span class="{}">{}{}</span>', classes, icon(shown.icon), shown.label)


@register.simple_tag(takes_context=True)
def theme(context: Context) -> str:
    """The colour theme the reader chose: light, dark or auto."""
    request: Any = context.get("request")
    chosen = request.COOKIES.get("theme", "auto") if request else "auto"
    return chosen if chosen in _THEMES else "auto"


@register.simple_tag
def zone() -> str:
    """The time zone that times on this page are in."""
    return timezone.get_current_timezone_name()


@register.filter
def epoch(moment: dt.datetime) -> str:
    """Seconds since 1970, for scripts."""
    return f"{moment.timestamp():.3f}"


@register.filter
def clock(seconds: float | None) -> str:
    """ "0:07", "12:08", "1:02:03"; a dash for nothing."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def brief(seconds: float | None) -> str:
    """As `clock`, but "11.3 s" below a minute: how long it rang is worth the tenth."""
    return f"{seconds:.1f} s" if seconds is not None and seconds < 60 else clock(seconds)


@register.filter
def clock_since(moment: dt.datetime, now: dt.datetime) -> str:
    return clock((now - moment).total_seconds())


@register.filter
def remaining(moment: dt.datetime, now: dt.datetime) -> str:
    """ "58 min", "40 s", "2 h": what is left until `moment`."""
    seconds = int((moment - now).total_seconds())
    if seconds <= 0:
        return "expired"
    if seconds < 90:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 5400 else f"{seconds // 3600} h"


@register.filter
def when(moment: dt.datetime, now: dt.datetime) -> str:
    """The time if it was today, else day and time; the year only if it is another one."""
    local = timezone.localtime(moment)
    if local.date() == timezone.localtime(now).date():
        return f"{local:%H:%M:%S}"
    day = f"{local.day} {local:%b}"
    return f"{day} {local:%H:%M}" if local.year == now.year else f"{day} {local:%Y %H:%M}"


@register.filter
def wrapping(text: object) -> str:
    """The class of a name or number that does not fit into one line; nothing for the usual ones."""
    return " wrap-anywhere" if len(str(text)) > _ONE_LINE else ""
