"""Which connection a model uses."""

from django.db.models import Model


class OperatorRouter:
    """Tasks live on `default`, bound to the API's role; accounts, sessions and the admin's history on `operator`."""

    def db_for_read(self, model: type[Model], **_hints: object) -> str:
        return "default" if model._meta.app_label == "tasks" else "operator"

    db_for_write = db_for_read

    def allow_migrate(self, db: str, _app_label: str, **_hints: object) -> bool:
        """Only the owner changes the schema."""
        return db == "operator"
