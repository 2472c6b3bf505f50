"""One file per thing a person asks for. They read nouns from the catalogue, ask the core, and act through the stores."""
