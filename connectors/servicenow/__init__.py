"""ServiceNow: reading its tables, saying what its records mean, and writing scores back."""
