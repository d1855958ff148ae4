"""The REST API of duty, described by OpenAPI."""
