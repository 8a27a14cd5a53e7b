"""What is shown, by field of the house. Importing this package completes the list of types."""
