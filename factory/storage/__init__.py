"""Files on a local disk or any fsspec store, none of which a reader sees half of."""
