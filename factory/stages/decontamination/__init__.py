"""The stage that removes overlap with evaluation sets, and how it is tested on planted copies."""
