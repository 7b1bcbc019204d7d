"""The web server, the command line and the tables of Right Reasons; nothing in here loads torch."""
