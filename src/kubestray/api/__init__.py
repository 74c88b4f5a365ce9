"""The JSON API: everything that the console shows, for programs. One error shape; OpenAPI at /openapi.json."""
