"""The API, /api/v1: each address is the same resource as a page, as JSON."""
