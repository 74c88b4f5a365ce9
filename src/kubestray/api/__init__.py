"""The JSON API: what the console shows, for programs. One error shape; its description is /openapi.json."""
