"""Triggers that tell the engine what changed, whoever changed it: the admin, a bulk update, psql.

One notification a statement on the channel `branchline_config`, with the kind and the keys of what
changed and nothing else: {"kind": "extension", "keys": ["1001@pbx.example"]}, {"kind": "rule"},
{"kind": "domain"} or {"kind": "all"}. Each also moves the counter `enginelink_epoch` on, by which
a listener finds out that it missed something.
"""

from django.db import migrations

TELL = """
CREATE SEQUENCE enginelink_epoch;

CREATE FUNCTION enginelink_tell(kind text, keys text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    payload text;
BEGIN
    PERFORM nextval('enginelink_epoch');
    payload := json_strip_nulls(json_build_object('kind', kind, 'keys', keys))::text;
    -- Postgres takes payloads below 8000 bytes; beyond 200 keys a full load is cheaper anyway.
    IF cardinality(keys) >= 200 OR octet_length(payload) > 7000 THEN
        payload := '{"kind":"all"}';
    END IF;
    PERFORM pg_notify('branchline_config', payload);
END $$;
"""

EXTENSION = """
CREATE FUNCTION enginelink_extension_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    aors text[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM enginelink_tell('all');
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT n.number || '@' || d.name AS aor
            FROM new_rows n JOIN directory_domain d ON d.id = n.domain_id LIMIT 200) k;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT o.number || '@' || d.name AS aor
            FROM old_rows o JOIN directory_domain d ON d.id = o.domain_id LIMIT 200) k;
    ELSE
        -- Whose extension it is does not concern the engine.
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT x.number || '@' || d.name AS aor
            FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
            CROSS JOIN LATERAL (VALUES (o.number, o.domain_id), (n.number, n.domain_id))
                AS x (number, domain_id)
            JOIN directory_domain d ON d.id = x.domain_id
            WHERE to_jsonb(o) - 'person_id' IS DISTINCT FROM to_jsonb(n) - 'person_id'
            LIMIT 200) k;
    END IF;
    IF aors IS NOT NULL THEN
        PERFORM enginelink_tell('extension', aors);
    END IF;
    RETURN NULL;
END $$;
"""

CREDENTIAL = """
CREATE FUNCTION enginelink_credential_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    aors text[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM enginelink_tell('all');
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT e.number || '@' || d.name AS aor
            FROM new_rows n JOIN directory_extension e ON e.id = n.extension_id
            JOIN directory_domain d ON d.id = e.domain_id LIMIT 200) k;
    ELSIF TG_OP = 'DELETE' THEN
        -- An extension that is gone already has told so itself.
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT e.number || '@' || d.name AS aor
            FROM old_rows o JOIN directory_extension e ON e.id = o.extension_id
            JOIN directory_domain d ON d.id = e.domain_id LIMIT 200) k;
    ELSE
        SELECT array_agg(k.aor) INTO aors FROM (
            SELECT DISTINCT e.number || '@' || d.name AS aor
            FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
            CROSS JOIN LATERAL (VALUES (o.extension_id), (n.extension_id)) AS x (extension_id)
            JOIN directory_extension e ON e.id = x.extension_id
            JOIN directory_domain d ON d.id = e.domain_id
            WHERE to_jsonb(o) - 'changed_at' IS DISTINCT FROM to_jsonb(n) - 'changed_at'
            LIMIT 200) k;
    END IF;
    IF aors IS NOT NULL THEN
        PERFORM enginelink_tell('extension', aors);
    END IF;
    RETURN NULL;
END $$;
"""

DOMAIN = """
CREATE FUNCTION enginelink_domain_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM enginelink_tell('all');
    ELSIF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT FROM new_rows) THEN PERFORM enginelink_tell('domain'); END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM old_rows) THEN PERFORM enginelink_tell('all'); END IF;
    ELSIF EXISTS (SELECT FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
                  WHERE o.name IS DISTINCT FROM n.name) THEN
        PERFORM enginelink_tell('all');  -- the AORs of all its extensions changed
    ELSIF EXISTS (SELECT FROM old_rows o JOIN new_rows n ON n.id = o.id
                  WHERE to_jsonb(o) IS DISTINCT FROM to_jsonb(n)) THEN
        PERFORM enginelink_tell('domain');
    END IF;
    RETURN NULL;
END $$;
"""

RULE = """
CREATE FUNCTION enginelink_rule_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed boolean;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        changed := true;
    ELSIF TG_OP = 'INSERT' THEN
        changed := EXISTS (SELECT FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        changed := EXISTS (SELECT FROM old_rows);
    ELSE
        changed := EXISTS (SELECT FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
                           WHERE to_jsonb(o) IS DISTINCT FROM to_jsonb(n));
    END IF;
    IF changed THEN
        PERFORM enginelink_tell('rule');
    END IF;
    RETURN NULL;
END $$;
"""

TABLES = {
    "directory_domain": "enginelink_domain_changed",
    "directory_extension": "enginelink_extension_changed",
    "directory_credential": "enginelink_credential_changed",
    "routing_rule": "enginelink_rule_changed",
    "routing_target": "enginelink_rule_changed",
}

TRIGGERS = "".join(
    f"""
CREATE TRIGGER enginelink_insert AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER enginelink_update AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER enginelink_delete AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER enginelink_truncate AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
    for table, function in TABLES.items()
)

UNDO = (
    "".join(f"DROP FUNCTION {function}() CASCADE;" for function in sorted(set(TABLES.values())))
    + "DROP FUNCTION enginelink_tell(text, text[]); DROP SEQUENCE enginelink_epoch;"
)


class Migration(migrations.Migration):
    dependencies = [
        ("enginelink", "0001_initial"),
        ("directory", "0001_initial"),
        ("routing", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(TELL + EXTENSION + CREDENTIAL + DOMAIN + RULE + TRIGGERS, UNDO),
    ]
