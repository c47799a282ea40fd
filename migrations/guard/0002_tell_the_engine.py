"""A trigger that tells the engine of a pardon, as those of the configuration do."""

from django.db import migrations

TELL = """
CREATE FUNCTION guard_pardoned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM enginelink_tell('pardon');
    RETURN NULL;
END $$;

CREATE TRIGGER enginelink_pardoned AFTER INSERT OR DELETE OR TRUNCATE ON guard_pardon
    FOR EACH STATEMENT EXECUTE FUNCTION guard_pardoned();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("guard", "0001_initial"),
        ("enginelink", "0002_tell_the_engine"),
    ]

    operations = [
        migrations.RunSQL(TELL, "DROP FUNCTION guard_pardoned() CASCADE;"),
    ]
