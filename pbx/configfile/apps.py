from django.apps import AppConfig


class ConfigFileConfig(AppConfig):
    name = "pbx.configfile"
