"""What earlier runs came to: a database in the state folder, and what can be read from it."""
