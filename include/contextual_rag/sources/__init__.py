"""What a source lists: an index page, a feed, a sitemap, or a folder of this machine."""
