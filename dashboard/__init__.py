"""The dashboard: what a manager sees in a browser, and the query layer that the command line shares."""
