"""The date of the Date header (RFC 3261 §20.17): RFC 1123, always GMT."""

from __future__ import annotations

from typing import Final

_DAYS: Final = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def sip_date(wall: float) -> str:
    """`wall` seconds since 1970 as `Sat, 13 Nov 2010 23:29:00 GMT`, whatever the locale."""
    days, second = divmod(int(wall), 86400)
    year, month, day = _civil(days)
    return (
        f"{_DAYS[days % 7]}, {day:02d} {_MONTHS[month - 1]} {year:04d}"
        f" {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} GMT"
    )


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970, in the Gregorian calendar.

    Years are counted from March, so that the leap day is the last of its year; 400 years have
    146,097 days.
    """
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day
