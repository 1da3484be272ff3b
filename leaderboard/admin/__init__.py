"""The organizer's commands: `rostrum admin ...`, on the same functions as the site."""
