from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "pbx.calls"
    default_auto_field = "django.db.models.BigAutoField"
