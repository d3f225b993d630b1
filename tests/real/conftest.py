from __future__ import annotations

from tests.server.fixtures import pgstac, stac_api

__all__ = ["pgstac", "stac_api"]
