from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_epoch'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='authevent',
            index=models.Index(fields=['created'], name='accounts_event_by_time'),
        ),
    ]
