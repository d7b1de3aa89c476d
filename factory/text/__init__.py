"""What a text is to a machine: tokens, normal forms, numbers, and the compiled loops over its bytes."""
