"""Django looks for a backend's DatabaseWrapper in a module of this name."""

from typing import Any

import dj_database_url
from django.db.backends.postgresql import base

from config import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for libpq; for the embedded server asked anew each time, because a restart may move its port."""
        if self.settings_dict.get("EMBEDDED"):
            server = dj_database_url.parse(embedded.url())
            if server["PORT"] != self.settings_dict["PORT"] and self.alias in self._connection_pools:  # type: ignore[attr-defined]
                self.close_pool()  # of connections to where the server was
            self.settings_dict.update({key: server[key] for key in ("HOST", "PORT", "USER", "PASSWORD")})
        return super().get_connection_params()
