"""What people look at: pages over the published copy of the marts, and the reader that API and report share."""
