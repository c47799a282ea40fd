from django.apps import AppConfig


class PagerConfig(AppConfig):
    name = "pbx.pager"
    verbose_name = "Text messages"
    default_auto_field = "django.db.models.BigAutoField"
