"""Triggers that end pages with their session, person or extension, and tell the engine of it."""

from django.db import migrations

END = """
CREATE FUNCTION pagephones_session_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pagephones_page p SET ended_at = now() FROM old_rows o
    WHERE p.session = o.session_key AND p.ended_at IS NULL AND p.holds_until > now();
    RETURN NULL;
END $$;

CREATE TRIGGER pagephones_gone AFTER DELETE ON django_session
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pagephones_session_gone();

CREATE FUNCTION pagephones_person_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pagephones_page p SET ended_at = now()
    FROM old_rows o JOIN new_rows n ON n.id = o.id
    WHERE p.person = o.id AND p.ended_at IS NULL AND p.holds_until > now()
        AND (o.password IS DISTINCT FROM n.password OR (o.is_active AND NOT n.is_active));
    RETURN NULL;
END $$;

CREATE TRIGGER pagephones_changed AFTER UPDATE ON directory_person
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pagephones_person_changed();

CREATE FUNCTION pagephones_extension_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pagephones_page p SET ended_at = now()
    FROM old_rows o JOIN new_rows n ON n.id = o.id
    WHERE p.extension = o.id AND p.ended_at IS NULL AND p.holds_until > now()
        AND p.person IS DISTINCT FROM n.person_id;
    RETURN NULL;
END $$;

CREATE TRIGGER pagephones_changed AFTER UPDATE ON directory_extension
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pagephones_extension_changed();

CREATE FUNCTION pagephones_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM old_rows o JOIN new_rows n ON n.mark = o.mark
               WHERE o.ended_at IS DISTINCT FROM n.ended_at) THEN
        PERFORM enginelink_tell('page');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER enginelink_ended AFTER UPDATE ON pagephones_page
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pagephones_ended();
"""

UNDO = """
DROP FUNCTION pagephones_session_gone() CASCADE;
DROP FUNCTION pagephones_person_changed() CASCADE;
DROP FUNCTION pagephones_extension_changed() CASCADE;
DROP FUNCTION pagephones_ended() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("pagephones", "0001_initial"),
        ("directory", "0002_call_settings"),
        ("enginelink", "0002_tell_the_engine"),
        ("sessions", "0001_initial"),
    ]

    operations = [migrations.RunSQL(END, UNDO)]
