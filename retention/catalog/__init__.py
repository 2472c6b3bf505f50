"""The catalogue: SQLModel tables, named queries and migrations. Rows stay here; nouns of `retention.model` go out."""
