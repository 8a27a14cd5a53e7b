"""Reads are compiled: a valid operation becomes one SQL statement, and PostgreSQL writes the answer.

catalogue says what each field is, select what is asked for, sql and pages write the statement, plan keeps it.
"""
