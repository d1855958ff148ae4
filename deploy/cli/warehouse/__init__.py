"""Commands of the warehouse: builds, quality, releases, figures and where they come from."""
