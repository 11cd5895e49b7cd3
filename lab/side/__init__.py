"""What do two strategies do, side by side, when somebody pulls at them? The page `/lab/`."""
