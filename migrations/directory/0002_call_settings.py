import pbx.directory.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("directory", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="assert_identity",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Tell the called phone for certain who calls, and the calling phone who rings and "
                "answers (P-Asserted-Identity, RFC 3325).",
                verbose_name="assert identity",
            ),
        ),
        migrations.AddField(
            model_name="domain",
            name="session_timer",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Seconds after which phones must confirm that a call is still up (RFC 4028), such as 1800; calls whose phones are gone then end in the log. 0: the phones decide.",
                validators=[pbx.directory.validators.validate_session_timer],
            ),
        ),
        migrations.AddField(
            model_name="domain",
            name="trusted",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="IP addresses, one a line, of other servers whose word about the caller is believed, and who learn it even if the caller withholds the number.",
                validators=[pbx.directory.validators.validate_trusted],
                verbose_name="trusted servers",
            ),
        ),
    ]
