from django.apps import AppConfig


class EngineLinkConfig(AppConfig):
    name = "pbx.enginelink"
    default_auto_field = "django.db.models.BigAutoField"
