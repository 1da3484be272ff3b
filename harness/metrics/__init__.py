"""The measures of the three tracks: each module says what it measures, its unit and its source."""
