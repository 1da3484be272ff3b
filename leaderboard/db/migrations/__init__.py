"""The migrations of the database, run by `rostrum admin init`."""
