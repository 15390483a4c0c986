"""Makes the data that the bundled finder of names is trained with; nothing here runs in a job."""
