"""Reading what users upload: pictures of every kind, class folders, masks, splits."""
