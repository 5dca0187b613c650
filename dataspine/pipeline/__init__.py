"""From bytes to stored records: the pure heart (`stages`) and the attempts around it."""
