from __future__ import annotations

from tests.server.fixtures import pgstac, stac_api, web

__all__ = ["pgstac", "stac_api", "web"]
