"""`purge_auth` finds what has expired by an index; SimpleJWT's table has none on `expires_at`.

The index is made by SQL, and not in the state of SimpleJWT's app: its models know nothing of it,
and `makemigrations` would want to take it away. Surprise: on SQLite, a later migration of
SimpleJWT that alters this table makes the table anew, and without the index; a test sees it. Then
`migrate jwt_api 0002` and `migrate jwt_api` bring it back, and lose nothing.
"""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('jwt_api', '0002_epoch'),
        ('token_blacklist', '0013_alter_blacklistedtoken_options_and_more'),
    ]

    operations = [
        migrations.RunSQL(
            'CREATE INDEX IF NOT EXISTS jwt_api_token_by_expiry ON token_blacklist_outstandingtoken (expires_at)',
            'DROP INDEX IF EXISTS jwt_api_token_by_expiry',
        ),
    ]
