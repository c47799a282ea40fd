from django.apps import AppConfig


class GuardConfig(AppConfig):
    name = "pbx.guard"
    default_auto_field = "django.db.models.BigAutoField"
