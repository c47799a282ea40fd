from django.apps import AppConfig


class RegistrationsConfig(AppConfig):
    name = "pbx.registrations"
    default_auto_field = "django.db.models.BigAutoField"
