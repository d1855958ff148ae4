"""The database of duty: models, migrations, sequence of the audit."""
