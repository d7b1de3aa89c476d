"""The engine: plans, stores, runs and resumes steps. The only package that imports ray."""
