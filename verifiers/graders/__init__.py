"""Generic graders: rules that compare an answer with references, a pattern, a schema or a set of choices."""
