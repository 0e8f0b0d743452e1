"""Index versions: what they are, which one answers, what differs, who may remove what."""
