"""Stream and journal held against each other: what a stream holds, the three lists of differences, and mending them."""
